package published

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Measures that papers print beside mIoU.
const (
	ClassifierMAP = "classifier mAP" // of image labels
	BoxMAP        = "box mAP"        // of detected boxes
	Gain          = "gain"           // points of mIoU over the labels that a method refines
)

//go:embed measures.csv
var measuresTable string

// Measure is a number that the paper prints of a row beside its mIoU.
type Measure struct {
	Name    string
	Percent float64
}

// measures is by row, read at its first use; a mistake in the embedded file is a bug, and the test
// finds it.
var measures = sync.OnceValue(func() map[string][]Measure {
	lines, err := csv.NewReader(strings.NewReader(measuresTable)).ReadAll()
	if err != nil {
		panic("published: measures.csv: " + err.Error())
	}
	all := map[string][]Measure{}
	for n, f := range lines[1:] {
		v, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			panic(fmt.Sprintf("published: measures.csv: line %d: %v", n+2, err))
		}
		all[f[0]] = append(all[f[0]], Measure{f[1], v})
	}
	return all
})

// Measures lists what the paper prints of a row beside its mIoU.
func (r Row) Measures() []Measure { return measures()[r.Name()] }

// Measure is one of them by its name.
func (r Row) Measure(name string) (percent float64, ok bool) {
	for _, m := range r.Measures() {
		if m.Name == name {
			return m.Percent, true
		}
	}
	return 0, false
}
