package data

import (
	"image"
	"strings"
	"testing"
)

func TestClasses(t *testing.T) {
	c := Classes{Names: []string{"background", "cat"}}
	if c.Len() != 2 || c.Index("cat") != 1 || c.Index("dog") != -1 {
		t.Errorf("Len %d, Index(cat) %d, Index(dog) %d", c.Len(), c.Index("cat"), c.Index("dog"))
	}
	for i, want := range map[int]string{0: "background", 1: "cat", 2: "class 2", -1: "class -1", Ignore: "void"} {
		if got := c.Name(i); got != want {
			t.Errorf("Name(%d) = %q, want %q", i, got, want)
		}
	}
}

func TestLabelMap(t *testing.T) {
	m := NewLabelMap(3, 2)
	m.Set(2, 1, 20)
	m.Set(0, 1, Ignore)
	if m.At(2, 1) != 20 || m.Pix[5] != 20 || m.Size() != image.Pt(3, 2) {
		t.Errorf("pixel (2,1) is %d in %v", m.At(2, 1), m.Pix)
	}
	seen := m.Present()
	if !seen[0] || !seen[20] || !seen[Ignore] || seen[1] {
		t.Error("Present is wrong")
	}
	c := m.Clone()
	c.Set(0, 0, 9)
	if m.At(0, 0) != 0 {
		t.Error("a clone shares memory")
	}
	if err := m.CheckRange(21); err != nil {
		t.Error(err)
	}
	if err := m.CheckRange(20); err == nil || !strings.Contains(err.Error(), "pixel (2,1) has value 20") {
		t.Errorf("error %v does not name the pixel", err)
	}
}

func TestBoxRect(t *testing.T) {
	for _, tt := range []struct {
		box  Box
		want image.Rectangle
	}{
		{Box{X0: 0, Y0: 0, X1: 4, Y1: 5}, image.Rect(0, 0, 4, 5)},
		{Box{X0: 1.5, Y0: 2.01, X1: 3.2, Y1: 4}, image.Rect(1, 2, 4, 4)},
		{Box{X0: -0.5, Y0: -3, X1: 0.5, Y1: 0.1}, image.Rect(-1, -3, 1, 1)},
	} {
		if got := tt.box.Rect(); got != tt.want {
			t.Errorf("%+v covers %v, want %v", tt.box, got, tt.want)
		}
	}
}

func TestRegistry(t *testing.T) {
	t.Cleanup(func() { delete(registry, "registry-test") })
	Register("registry-test", func(o Options) (Dataset, error) { return nil, nil })
	if _, err := Open("registry-test", Options{}); err != nil {
		t.Error(err)
	}
	if _, err := Open("none-such", Options{}); err == nil || !strings.Contains(err.Error(), "registry-test") {
		t.Errorf("error %v does not list the kinds that exist", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a second registration under one name passed")
		}
	}()
	Register("registry-test", nil)
}
