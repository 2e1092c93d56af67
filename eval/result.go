package eval

import (
	"encoding/json"
	"fmt"
	"math"

	"wsss/data"
	"wsss/data/metrics"
)

// Kind says what was scored; the report's headline tells them apart.
type Kind string

// The kinds of result.
const (
	KindPseudo   Kind = "pseudo-label" // what gen wrote
	KindNetwork  Kind = "network"      // a network trained on pseudo-labels
	KindBound    Kind = "bound"        // the same network trained on true masks
	KindAgainst  Kind = "against"      // another tool's label folder
	KindZeroShot Kind = "zero-shot"    // a method that labels images without training
)

// Value is a score in 0..1 that may be undefined: NaN, null in JSON.
type Value float64

// MarshalJSON writes NaN as null.
func (v Value) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(v)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(v))
}

// UnmarshalJSON reads null as NaN.
func (v *Value) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*v = Value(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(v))
}

// Valid tells whether the score is defined.
func (v Value) Valid() bool { return !math.IsNaN(float64(v)) }

// Percent formats the score as the field prints it, "67.3"; "–" where it is
// undefined.
func (v Value) Percent() string {
	if !v.Valid() {
		return "–"
	}
	return fmt.Sprintf("%.1f", 100*float64(v))
}

func values(v []float64) []Value {
	out := make([]Value, len(v))
	for i, x := range v {
		out[i] = Value(x)
	}
	return out
}

// Provenance is what a number can be reproduced from.
type Provenance struct {
	ConfigHash string            `json:"config_hash,omitempty"`
	Weights    map[string]string `json:"weights,omitempty"`  // file → SHA-256
	Versions   map[string]string `json:"versions,omitempty"` // wsss, Go, backend …
	Backend    string            `json:"backend,omitempty"`
	Command    string            `json:"command,omitempty"`
	Seed       int64             `json:"seed,omitempty"`
}

// Variant is the mean IoU of the same counts under another protocol.
type Variant struct {
	metrics.Protocol
	MIoU Value `json:"miou"`
}

// ImageScore is one image's share of a result.
type ImageScore struct {
	ID        string               `json:"id"`
	MIoU      Value                `json:"miou"` // over the classes in its truth or prediction
	PixelAcc  Value                `json:"pixel_acc"`
	Undecided Value                `json:"undecided,omitempty"` // share of scored pixels predicted void
	Counts    []metrics.ClassCount `json:"counts"`              // [class, tp, truth, prediction] in pixels
}

// BoundaryScore is how well borders are met (see metrics.Boundary).
type BoundaryScore struct {
	MIoU   Value   `json:"miou"`   // boundary IoU, mean over classes
	IoU    []Value `json:"iou"`    // per class
	Trimap Value   `json:"trimap"` // mIoU near true borders
}

// Result is everything known about one scored set of label maps. Scores are in
// 0..1.
type Result struct {
	Name      string              `json:"name"`
	Kind      Kind                `json:"kind"`
	Dataset   string              `json:"dataset"`
	Split     string              `json:"split"`
	Classes   []string            `json:"classes"` // background first
	Protocol  metrics.Protocol    `json:"protocol"`
	Images    int                 `json:"images"`             // scored
	Unscored  int                 `json:"unscored"`           // images without truth
	Missing   int                 `json:"missing"`            // predictions that were absent and counted as background
	MIoU      Value               `json:"miou"`               // under Protocol
	CI        *metrics.Interval   `json:"ci,omitempty"`       // of MIoU, bootstrap over images
	Variants  []Variant           `json:"variants"`           // MIoU under every protocol
	PixelAcc  Value               `json:"pixel_acc"`          //
	MeanAcc   Value               `json:"mean_acc"`           // mean recall
	FWIoU     Value               `json:"fwiou"`              // frequency-weighted
	IoU       []Value             `json:"iou"`                // per class
	Precision []Value             `json:"precision"`          //
	Recall    []Value             `json:"recall"`             //
	Pixels    uint64              `json:"pixels"`             // scored
	Undecided Value               `json:"undecided"`          // share of scored pixels predicted void
	Boundary  *BoundaryScore      `json:"boundary"`           // null unless asked for
	Sizes     []metrics.SizeScore `json:"sizes"`              // small, medium, large regions
	Confused  []metrics.Pair      `json:"confused"`           // the most frequent confusions
	Confusion [][]uint64          `json:"confusion"`          // rows = truth
	Seconds   float64             `json:"seconds"`            // wall clock of this evaluation
	PerSecond float64             `json:"images_per_s"`       // at which the label maps were made; 0 = not known
	PerImage  []ImageScore        `json:"per_image"`          // in the dataset's order
	From      Provenance          `json:"provenance"`         //
	Extra     map[string]Value    `json:"extra,omitempty"`    // further named numbers, e.g. detector AP
	Notes     []string            `json:"notes,omitempty"`    // what a reader must know about the number
	Settings  map[string]string   `json:"settings,omitempty"` // how the label maps came about: method or network, test-time choices
}

// Unscored is the result of label maps that nothing can be compared with: all
// scores are undefined, images of them counted in Unscored.
func Unscored(ds data.Dataset, split, name string, kind Kind, images int) *Result {
	nan := Value(math.NaN())
	r := &Result{Name: name, Kind: kind, Dataset: ds.Name(), Split: split, Classes: ds.Classes().Names, Unscored: images,
		Protocol: metrics.Protocol{}.WithDefaults(), MIoU: nan, PixelAcc: nan, MeanAcc: nan, FWIoU: nan}
	for range r.Classes {
		r.IoU, r.Precision, r.Recall = append(r.IoU, nan), append(r.Precision, nan), append(r.Recall, nan)
	}
	return r
}

// IDs lists the scored images in order.
func (r *Result) IDs() []string {
	ids := make([]string, len(r.PerImage))
	for i, p := range r.PerImage {
		ids[i] = p.ID
	}
	return ids
}

func (r *Result) counts() [][]metrics.ClassCount {
	out := make([][]metrics.ClassCount, len(r.PerImage))
	for i, p := range r.PerImage {
		out[i] = p.Counts
	}
	return out
}

// Compare is the paired difference in mIoU, b minus a, of two results over the
// same images and protocol. The error names the first image that differs.
func Compare(a, b *Result, boot metrics.Boot) (metrics.Difference, error) {
	if len(a.Classes) != len(b.Classes) || a.Protocol != b.Protocol {
		return metrics.Difference{}, fmt.Errorf("%s and %s were scored with different classes or protocols", a.Name, b.Name)
	}
	if len(a.PerImage) != len(b.PerImage) {
		return metrics.Difference{}, fmt.Errorf("%s scored %d images, %s %d: a paired comparison needs the same ones", a.Name, len(a.PerImage), b.Name, len(b.PerImage))
	}
	for i := range a.PerImage {
		if a.PerImage[i].ID != b.PerImage[i].ID {
			return metrics.Difference{}, fmt.Errorf("image %d is %s in %s and %s in %s: a paired comparison needs the same images", i, a.PerImage[i].ID, a.Name, b.PerImage[i].ID, b.Name)
		}
	}
	boot.Absent = a.Protocol.Absent
	return metrics.Paired(a.counts(), b.counts(), len(a.Classes), boot)
}
