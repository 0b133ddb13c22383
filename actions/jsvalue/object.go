package jsvalue

import (
	"cmp"
	"iter"
	"maps"
	"slices"
)

// Object is a JSON object that keeps JavaScript's order of keys: those that
// are array indexes first, ascending, then the others as they were set. The
// zero Object is empty and ready for use, a nil one reads as empty. Reading it
// concurrently is safe; writing is not.
type Object struct {
	members []member
	indexes int            // how many of the first members have an array index for a key
	at      map[string]int // key -> position, once there are many members
}

// member is a key and its value. A string that was decoded, or set as such, is
// kept in text, and becomes an any only when it is asked for: few of an event's
// strings are.
type member struct {
	key   string
	value any // inText if the value is text
	text  string
}

// inText stands for a value that is the member's text.
type inText struct{}

func (m *member) get() any {
	if _, ok := m.value.(inText); ok {
		return m.text
	}
	return m.value
}

// scanned is how many members are searched one by one, which for few is
// faster than hashing.
const scanned = 12

// NewObject returns an empty object with room for n members.
func NewObject(n int) *Object {
	if n > len(small{}.room) {
		return &Object{members: make([]member, 0, n)}
	}
	s := new(small)
	s.members = s.room[:0]
	return &s.Object
}

// small is an object that brings the room for its members along.
type small struct {
	Object
	room [4]member
}

// fill makes o, which is empty, the object of members, in the order in which
// they were set. It takes the slice over.
func (o *Object) fill(members []member) {
	if len(members) > scanned {
		o.at = make(map[string]int, 2*len(members))
	}
	o.members = members[:0]
	for _, m := range members {
		if i, ok := o.find(m.key); ok {
			o.members[i] = m
			continue
		}
		if o.at != nil {
			o.at[m.key] = len(o.members)
		}
		o.members = append(o.members, m)
		if _, ok := arrayIndex(m.key); ok {
			o.indexes++
		}
	}
	if o.indexes > 0 {
		slices.SortStableFunc(o.members, func(a, b member) int { return indexesFirst(a.key, b.key) })
		o.reindex()
	}
}

// Len is the number of members.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.members)
}

// Get returns the value of key, and whether there is one.
func (o *Object) Get(key string) (any, bool) {
	if o == nil {
		return nil, false
	}
	if i, ok := o.find(key); ok {
		return o.members[i].get(), true
	}
	return nil, false
}

// Set gives key a value. A key that is there already keeps its place.
func (o *Object) Set(key string, value any) { o.put(member{key: key, value: value}) }

// SetString is Set for a string that may never be asked for: it allocates
// nothing for it until then.
func (o *Object) SetString(key, text string) { o.put(member{key, inText{}, text}) }

func (o *Object) put(m member) {
	if i, ok := o.find(m.key); ok {
		o.members[i] = m
		return
	}
	n, ok := arrayIndex(m.key)
	if !ok {
		o.members = append(o.members, m)
		if o.at != nil {
			o.at[m.key] = len(o.members) - 1
		} else {
			o.reindex()
		}
		return
	}
	at, _ := slices.BinarySearchFunc(o.members[:o.indexes], n, func(m member, n uint32) int {
		have, _ := arrayIndex(m.key)
		return cmp.Compare(have, n)
	})
	o.members = slices.Insert(o.members, at, m)
	o.indexes++
	if o.at != nil && at == len(o.members)-1 {
		o.at[m.key] = at
	} else {
		o.reindex()
	}
}

// All are the members, in JavaScript's order.
func (o *Object) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if o == nil {
			return
		}
		for i := range o.members {
			if m := &o.members[i]; !yield(m.key, m.get()) {
				return
			}
		}
	}
}

func (o *Object) find(key string) (int, bool) {
	if o.at != nil {
		i, ok := o.at[key]
		return i, ok
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i, true
		}
	}
	return 0, false
}

func (o *Object) reindex() {
	if len(o.members) <= scanned {
		return
	}
	o.at = make(map[string]int, 2*len(o.members))
	for i, m := range o.members {
		o.at[m.key] = i
	}
}

// arrayIndex tells whether key is an array index (ECMA-262, 6.1.7): a
// canonical decimal below 2^32 - 1.
func arrayIndex(key string) (uint32, bool) {
	if key == "" || len(key) > 10 || (key[0] == '0' && len(key) > 1) {
		return 0, false
	}
	var n uint64
	for i := range len(key) {
		digit := key[i] - '0'
		if digit > 9 {
			return 0, false
		}
		n = n*10 + uint64(digit)
	}
	return uint32(n), n < 1<<32-1
}

// Get returns the member key of an object, and whether there is one; no value
// but an object has any.
func Get(v any, key string) (any, bool) {
	switch v := v.(type) {
	case *Object:
		return v.Get(key)
	case map[string]any:
		value, ok := v[key]
		return value, ok
	}
	return nil, false
}

// Len is the number of an object's members; 0 for every other value.
func Len(v any) int {
	switch v := v.(type) {
	case *Object:
		return v.Len()
	case map[string]any:
		return len(v)
	}
	return 0
}

// All are the members of an object in JavaScript's order; nothing for every
// other value.
func All(v any) iter.Seq2[string, any] { return object(v).All() }

// object is v as an *Object, nil if it is no object.
func object(v any) *Object {
	switch v := v.(type) {
	case *Object:
		return v
	case map[string]any:
		o := NewObject(len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			o.Set(key, v[key])
		}
		return o
	}
	return nil
}

// indexesFirst compares two keys by JavaScript's order; those that aren't
// array indexes are equal to one another.
func indexesFirst(a, b string) int {
	m, aIsIndex := arrayIndex(a)
	n, bIsIndex := arrayIndex(b)
	switch {
	case aIsIndex && bIsIndex:
		return cmp.Compare(m, n)
	case aIsIndex:
		return -1
	case bIsIndex:
		return 1
	default:
		return 0
	}
}
