// Package metrics computes segmentation scores from label maps: the confusion
// matrix and what follows from it, boundary scores, bootstrap intervals
// (docs/sources.md §10). It reads no files and knows no datasets.
package metrics

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"

	"wsss/data"
)

// Confusion counts pixels by truth (row) and prediction (column) over any
// number of images. Beside the C classes it keeps two more rows and columns,
// void (255) and out of range (C..254), so that one pass over the pixels
// serves every protocol. It is not safe for concurrent use: give each worker
// its own and Merge them.
type Confusion struct {
	classes int
	side    int      // classes + 2
	cells   []uint64 // side × side
	row     [256]uint32
	col     [256]uint32
}

// NewConfusion returns an empty matrix for the classes 0..classes-1,
// background included; classes is 1..data.MaxClasses.
func NewConfusion(classes int) (*Confusion, error) {
	if classes < 1 || classes > data.MaxClasses {
		return nil, fmt.Errorf("confusion matrix of %d classes: allowed are 1..%d", classes, data.MaxClasses)
	}
	c := &Confusion{classes: classes, side: classes + 2}
	c.cells = make([]uint64, c.side*c.side)
	for v := range 256 {
		k := v
		if v == data.Ignore {
			k = classes
		} else if v >= classes {
			k = classes + 1
		}
		c.row[v], c.col[v] = uint32(k*c.side), uint32(k)
	}
	return c, nil
}

// Classes is the number of classes, background included.
func (c *Confusion) Classes() int { return c.classes }

// Add counts one image: truth and pred hold one label per pixel in the same
// order. The error tells unequal lengths.
//
// Label maps are made of long runs, so the loop looks at 8 pixels at once and
// touches the matrix once per run.
func (c *Confusion) Add(truth, pred []uint8) error {
	if len(truth) != len(pred) {
		return fmt.Errorf("truth has %d pixels, prediction %d", len(truth), len(pred))
	}
	const ones = 0x0101010101010101
	n := len(truth)
	for i := 0; i < n; {
		t, p := truth[i], pred[i]
		tt, pp := uint64(t)*ones, uint64(p)*ones
		j := i + 1
		for {
			if j+8 > n {
				for j < n && truth[j] == t && pred[j] == p {
					j++
				}
				break
			}
			diff := (binary.LittleEndian.Uint64(truth[j:]) ^ tt) | (binary.LittleEndian.Uint64(pred[j:]) ^ pp)
			if diff != 0 {
				j += bits.TrailingZeros64(diff) / 8
				break
			}
			j += 8
		}
		c.cells[c.row[t]+c.col[p]] += uint64(j - i)
		i = j
	}
	return nil
}

// Merge adds the counts of another matrix of the same number of classes.
func (c *Confusion) Merge(o *Confusion) error {
	if o.classes != c.classes {
		return fmt.Errorf("confusion matrices of %d and %d classes cannot be merged", c.classes, o.classes)
	}
	for i, v := range o.cells {
		c.cells[i] += v
	}
	return nil
}

// MarshalJSON writes all counts, those of void and out of range too.
func (c *Confusion) MarshalJSON() ([]byte, error) {
	return json.Marshal(confusionFile{c.classes, c.cells})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (c *Confusion) UnmarshalJSON(raw []byte) error {
	var f confusionFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return err
	}
	fresh, err := NewConfusion(f.Classes)
	if err != nil {
		return err
	}
	if len(f.Cells) != len(fresh.cells) {
		return fmt.Errorf("confusion matrix of %d classes with %d counts, want %d", f.Classes, len(f.Cells), len(fresh.cells))
	}
	*c = *fresh
	c.cells = f.Cells
	return nil
}

// confusionFile is a Confusion in JSON.
type confusionFile struct {
	Classes int      `json:"classes"`
	Cells   []uint64 `json:"cells"` // of classes, void, out of range; rows = truth
}

// Reset empties the matrix.
func (c *Confusion) Reset() { clear(c.cells) }

// At is the number of pixels of class truth that were predicted as class pred;
// pred = data.Ignore asks for predictions of void.
func (c *Confusion) At(truth, pred int) uint64 {
	return c.cells[c.row[truth&255]+c.col[pred&255]]
}

// VoidTruth is the number of pixels left out because their truth is no class.
func (c *Confusion) VoidTruth() uint64 {
	return sum(c.cells[c.classes*c.side:])
}

// OutOfRange is the number of pixels, void truth included, whose prediction is
// neither a class nor void.
func (c *Confusion) OutOfRange() uint64 {
	var n uint64
	for r := range c.side {
		n += c.cells[r*c.side+c.classes+1]
	}
	return n
}

// VoidPred is the number of scored pixels (truth is a class) whose prediction
// is void or out of range.
func (c *Confusion) VoidPred() uint64 {
	var n uint64
	for r := range c.classes {
		n += c.cells[r*c.side+c.classes] + c.cells[r*c.side+c.classes+1]
	}
	return n
}

// Matrix is the C×C matrix, rows = truth, with void predictions treated as v
// says.
func (c *Confusion) Matrix(v Void) [][]uint64 {
	m := make([][]uint64, c.classes)
	for r := range m {
		line := c.cells[r*c.side : (r+1)*c.side]
		m[r] = append([]uint64(nil), line[:c.classes]...)
		if v != VoidDrop {
			m[r][0] += line[c.classes] + line[c.classes+1]
		}
	}
	return m
}

// Counts reduces the matrix to what the scores need, with void predictions
// treated as v says.
func (c *Confusion) Counts(v Void) Counts {
	k := NewCounts(c.classes)
	for r := range c.classes {
		line := c.cells[r*c.side : (r+1)*c.side]
		for p, n := range line[:c.classes] {
			k.Truth[r] += n
			k.Pred[p] += n
		}
		k.TP[r] = line[r]
		if v != VoidDrop {
			void := line[c.classes] + line[c.classes+1]
			k.Truth[r] += void
			k.Pred[0] += void
			if r == 0 {
				k.TP[0] += void
			}
		}
	}
	return k
}

func sum(v []uint64) (n uint64) {
	for _, x := range v {
		n += x
	}
	return n
}
