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
	members []Member
	indexes int            // how many of the first members have an array index for a key
	at      map[string]int // key -> position, once there are many members
}

// Member is a key of an object and its value. A string that was decoded is kept
// as a *text, and becomes an any of its own only when it is asked for: few of an
// event's strings are.
type Member struct {
	key   string
	value any
}

// text is a string in memory that it shares with others.
type text string

// Key is the member's.
func (m *Member) Key() string { return m.key }

// Value is the member's.
func (m *Member) Value() any {
	if t, ok := m.value.(*text); ok {
		return string(*t)
	}
	return m.value
}

// Text is the member's value if it is a string. Value is too, but may have to
// allocate for it.
func (m *Member) Text() (string, bool) {
	if t, ok := m.value.(*text); ok {
		return string(*t), true
	}
	s, ok := m.value.(string)
	return s, ok
}

// scanned is how many members are searched one by one, which for few is
// faster than hashing.
const scanned = 12

// NewObject returns an empty object with room for n members.
func NewObject(n int) *Object {
	if n > len(Small{}.room) {
		return &Object{members: make([]Member, 0, n)}
	}
	return new(Small).Empty()
}

// Small is an object that brings the room for a few members along.
type Small struct {
	object Object
	room   [4]Member
}

// Empty is the object, without members. Who used it before must be done with it.
func (s *Small) Empty() *Object {
	s.object = Object{members: s.room[:0]}
	return &s.object
}

// distinct drops from Members, which are in the order in which they were set,
// those whose key is set again: the last value counts, in the first one's place.
// It works in place, and also tells where each key is, once there are many.
func distinct(members []Member) ([]Member, map[string]int) {
	var at map[string]int
	if len(members) > scanned {
		at = make(map[string]int, len(members))
	}
	n := 0
	for i := range members {
		m := &members[i]
		first, again := at[m.key]
		if at == nil {
			first, again = position(members[:n], m.key)
		}
		if again {
			members[first] = *m
			continue
		}
		if at != nil {
			at[m.key] = n
		}
		if n < i {
			members[n] = *m
		}
		n++
	}
	return members[:n], at
}

// fill makes o, which is empty, the object of members without doubles. It takes
// over both the members and the map of where they are.
func (o *Object) fill(members []Member, at map[string]int) {
	o.members, o.at = members, at
	for i := range members {
		if _, ok := arrayIndex(members[i].key); ok {
			o.indexes++
		}
	}
	if o.indexes > 0 {
		slices.SortStableFunc(o.members, func(a, b Member) int { return indexesFirst(a.key, b.key) })
		if o.at != nil {
			o.place()
		}
	}
}

// Builder makes an object of many members at once. Set takes as long as there
// are members whenever a key is a whole number that isn't the last; a Builder
// doesn't. The zero Builder is empty.
type Builder struct{ members []Member }

// Set sets a member, as Object.Set does.
func (b *Builder) Set(key string, value any) { b.members = append(b.members, Member{key, value}) }

// Object is what was put together. The Builder is no use after it.
func (b *Builder) Object() *Object {
	members, at := distinct(b.members)
	o := &Object{}
	o.fill(members, at)
	return o
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
		return o.members[i].Value(), true
	}
	return nil, false
}

// Text returns the value of key if it is a string, as Member.Text does.
func (o *Object) Text(key string) (string, bool) {
	if m := o.Member(key); m != nil {
		return m.Text()
	}
	return "", false
}

// Member returns the member of key, or nil. It must not be changed, and is of
// use until the object is.
func (o *Object) Member(key string) *Member {
	if o == nil {
		return nil
	}
	if i, ok := o.find(key); ok {
		return &o.members[i]
	}
	return nil
}

// Set gives key a value. A key that is there already keeps its place.
func (o *Object) Set(key string, value any) { o.put(Member{key, value}) }

// SetFrom is Set with the value of a member of another object.
func (o *Object) SetFrom(key string, m *Member) { o.put(Member{key, m.value}) }

func (o *Object) put(m Member) {
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
	at, _ := slices.BinarySearchFunc(o.members[:o.indexes], n, func(m Member, n uint32) int {
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
			if m := &o.members[i]; !yield(m.key, m.Value()) {
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
	return position(o.members, key)
}

// position looks for a key among few members.
func position(members []Member, key string) (int, bool) {
	for i := range members {
		if members[i].key == key {
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
	o.place()
}

// place tells the map where each member is.
func (o *Object) place() {
	for i, m := range o.members {
		o.at[m.key] = i
	}
}

// arrayIndex reports whether key is an array index (ECMA-262, 6.1.7): a
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

// Members are an object's, as All gives them; they must not be changed.
func Members(v any) []Member {
	if o := object(v); o != nil {
		return o.members
	}
	return nil
}

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
