package liquid

import (
	lru "github.com/hashicorp/golang-lru/v2"
)

// Cache keeps compiled templates whose text comes with events, so that it is
// compiled once, and those that don't compile. It is safe for concurrent use.
type Cache struct {
	entries *lru.Cache[string, compiled]
}

type compiled struct {
	template *Template
	err      error
}

// maxCached is the longest source that is kept, in bytes, so that a cache's
// memory is bounded by its size.
const maxCached = 16 << 10

// NewCache makes a cache of so many templates, at least one.
func NewCache(size int) *Cache {
	entries, err := lru.New[string, compiled](max(1, size))
	if err != nil {
		// Only a size below one is an error.
		return &Cache{}
	}
	return &Cache{entries}
}

// Get compiles source, or returns what it was compiled to before.
func (c *Cache) Get(source string) (*Template, error) {
	if c.entries == nil || len(source) > maxCached {
		return Compile(source)
	}
	if kept, ok := c.entries.Get(source); ok {
		return kept.template, kept.err
	}
	t, err := Compile(source)
	c.entries.Add(source, compiled{t, err})
	return t, err
}
