package published

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// perClassTable holds the numbers of single classes that papers print: the
// survey's table 2, of its rows 54 and 55 of table 1.
//
//go:embed per_class.csv
var perClassTable string

// perClass is by row, column and class, read at its first use; a mistake in the embedded file is a
// bug, and the test finds it.
var perClass = sync.OnceValue(func() map[string]map[string]float64 {
	lines, err := csv.NewReader(strings.NewReader(perClassTable)).ReadAll()
	if err != nil {
		panic("published: per_class.csv: " + err.Error())
	}
	all := map[string]map[string]float64{}
	for n, f := range lines[1:] {
		v, err := strconv.ParseFloat(f[3], 64)
		if err != nil {
			panic(fmt.Sprintf("published: per_class.csv: line %d: %v", n+2, err))
		}
		key := f[0] + " " + f[1]
		if all[key] == nil {
			all[key] = map[string]float64{}
		}
		all[key][f[2]] = v
	}
	return all
})

// PerClass are the per cent that the paper prints for single classes of a row,
// by the data set's names of classes; nil where it prints none.
func (r Row) PerClass(c Column) map[string]float64 { return perClass()[r.Name()+" "+string(c)] }
