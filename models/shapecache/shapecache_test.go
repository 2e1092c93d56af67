package shapecache

import (
	"errors"
	"slices"
	"testing"
)

func TestCache(t *testing.T) {
	var made, freed []int
	c := Cache[int, int]{Limit: 2, Free: func(v int) { freed = append(freed, v) }}
	get := func(key int) {
		v, err := c.Get(key, func() (int, error) { made = append(made, key); return 10 * key, nil })
		if v != 10*key || err != nil {
			t.Errorf("key %d: %d, %v", key, v, err)
		}
	}
	for _, key := range []int{1, 2, 1, 3, 1, 2} { // 2 was used longest ago when 3 came
		get(key)
	}
	if !slices.Equal(made, []int{1, 2, 3, 2}) || !slices.Equal(freed, []int{20, 30}) || c.Len() != 2 {
		t.Errorf("made %v, freed %v, kept %d", made, freed, c.Len())
	}
	broken := errors.New("broken")
	if _, err := c.Get(9, func() (int, error) { return 0, broken }); !errors.Is(err, broken) || c.Len() != 2 {
		t.Errorf("error %v, %d kept", err, c.Len())
	}
	if c.Clear(); len(freed) != 4 || c.Len() != 0 {
		t.Errorf("freed %v", freed)
	}
}
