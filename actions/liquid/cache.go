package liquid

import (
	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache keeps templates that aren't known before an event comes, so that they
// are compiled once, and those that don't compile. It is safe for concurrent use.
type Cache struct {
	entries *lru.Cache[string, compiled]
}

type compiled struct {
	template *Template
	err      error
}

// maxCached is the longest source that is kept, in bytes, so that a cache's
// memory is bounded by its size.
const maxCached = 8 << 10

// NewCache makes a cache of so many templates, at least one.
func NewCache(size int) *Cache {
	entries, err := lru.New[string, compiled](max(1, size))
	if err != nil {
		// Only a size below one is an error.
		return &Cache{}
	}
	return &Cache{entries}
}

// Get compiles a source, at the expense of b, or returns what one that differs
// from it in the data only was compiled to before, at the same expense: whether
// it is kept must not decide how a rendering ends. The error is an *Error, or an
// *InterruptedError.
func (c *Cache) Get(b *Budget, source *Source) (*Template, error) {
	shape, _ := source.shape()
	err := b.Spend(float64(len(shape)) * compileCost)
	if err == nil {
		return c.get(shape)
	}
	return nil, told(err)
}

// compileCost is what compiling a byte costs.
const compileCost = 4

// get compiles a shape, or returns what it was compiled to before.
func (c *Cache) get(shape string) (*Template, error) {
	if c.entries == nil || len(shape) > maxCached {
		return compileShape(shape)
	}
	if kept, ok := c.entries.Get(shape); ok {
		return kept.template, kept.err
	}
	t, err := compileShape(shape)
	c.entries.Add(shape, compiled{t, err})
	return t, err
}
