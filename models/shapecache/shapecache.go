// Package shapecache bounds how many compiled graphs are kept, one per size of
// image.
package shapecache

import (
	"slices"

	"wsss/models/backend"
)

// Cache keeps the values used last; those that make room are freed. It is not
// safe for concurrent use.
type Cache[Key comparable, Value any] struct {
	Limit int // values kept; below 1 means 1
	Free  func(Value)

	list []entry[Key, Value] // latest last
}

type entry[Key comparable, Value any] struct {
	key   Key
	value Value
}

// Get returns the value of a key, made if it is not there.
func (c *Cache[Key, Value]) Get(key Key, make func() (Value, error)) (Value, error) {
	if i := slices.IndexFunc(c.list, func(e entry[Key, Value]) bool { return e.key == key }); i >= 0 {
		e := c.list[i]
		c.list = append(slices.Delete(c.list, i, i+1), e)
		return e.value, nil
	}
	backend.NoteCompilation()
	v, err := make()
	if err != nil {
		return v, err
	}
	for len(c.list) > 0 && len(c.list) >= c.Limit {
		c.Free(c.list[0].value)
		c.list = slices.Delete(c.list, 0, 1)
	}
	c.list = append(c.list, entry[Key, Value]{key, v})
	return v, nil
}

// Has tells whether a key's value is kept.
func (c *Cache[Key, Value]) Has(key Key) bool {
	return slices.ContainsFunc(c.list, func(e entry[Key, Value]) bool { return e.key == key })
}

// Len is the number of values kept.
func (c *Cache[Key, Value]) Len() int { return len(c.list) }

// Clear frees all values.
func (c *Cache[Key, Value]) Clear() {
	for _, e := range c.list {
		c.Free(e.value)
	}
	c.list = nil
}
