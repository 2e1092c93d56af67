package report

import (
	"fmt"
	"slices"
	"strings"

	"wsss/eval"
)

// Names of settings, in the order of their table. A row may have others, too;
// they come after these.
const (
	MadeBy    = "made by"         // method or network
	TrainedOn = "trained on"      // split and number of images
	Start     = "initial weights" // file
	Updates   = "updates"         // and the size of their batch
	Scales    = "scales"          // at test time
	Flip      = "flip"
	CRF       = "CRF"
	Sides     = "photo sides" // as the network sees them: their own, or rounded
	Stages    = "time by stage"
)

var settingsOrder = []string{MadeBy, TrainedOn, Start, Updates, Scales, Flip, CRF, Sides, Stages}

// settingsTable says how each row came about; empty where no row tells.
type settingsTable struct {
	Columns []string
	Rows    []settingsRow
}

type settingsRow struct {
	Name  string
	Cells []string
}

func settingsOf(rows []Row) settingsTable {
	all := map[string]bool{}
	for _, r := range rows {
		for k := range r.Settings {
			all[k] = true
		}
	}
	var t settingsTable
	for _, k := range append(slices.Clone(settingsOrder), sortedKeys(all)...) {
		if all[k] {
			t.Columns = append(t.Columns, k)
			delete(all, k)
		}
	}
	for _, r := range rows {
		if len(r.Settings) == 0 {
			continue
		}
		row := settingsRow{Name: r.Name}
		for _, k := range t.Columns {
			row.Cells = append(row.Cells, r.Settings[k])
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// origin is what one row can be reproduced from, or all of them.
type origin struct {
	Of      string // "all rows", "this report" or one row
	Entries [][2]string
}

// origins lists once what no row says otherwise, then what each has beside it.
// Weights stay with their rows.
func origins(r *Report) []origin {
	sources := []origin{{"this report", provenance(r.From)}}
	for _, text := range r.Again {
		sources[0].Entries = append(sources[0].Entries, [2]string{"labels made again", text})
	}
	for _, row := range r.Rows {
		sources = append(sources, origin{row.Name, provenance(row.From)})
	}
	if len(r.Rows) == 0 {
		return sources
	}
	values := map[string][]string{}
	var keys []string
	for _, s := range sources {
		for _, e := range s.Entries {
			if !slices.Contains(keys, e[0]) {
				keys = append(keys, e[0])
			}
			if !slices.Contains(values[e[0]], e[1]) {
				values[e[0]] = append(values[e[0]], e[1])
			}
		}
	}
	all := origin{Of: "all rows"}
	common := func(key string) bool { return len(values[key]) == 1 && !strings.HasPrefix(key, weightsKey) }
	for _, k := range keys {
		if common(k) {
			all.Entries = append(all.Entries, [2]string{k, values[k][0]})
		}
	}
	list := []origin{all}
	for _, s := range sources {
		s.Entries = slices.DeleteFunc(s.Entries, func(e [2]string) bool { return common(e[0]) })
		list = append(list, s)
	}
	return slices.DeleteFunc(list, func(o origin) bool { return len(o.Entries) == 0 })
}

const weightsKey = "weights "

func provenance(p eval.Provenance) [][2]string {
	var out [][2]string
	add := func(k, v string) {
		if v != "" {
			out = append(out, [2]string{k, v})
		}
	}
	add("command", p.Command)
	add("config", p.ConfigHash)
	add("backend", p.Backend)
	if p.Seed != 0 {
		add("seed", fmt.Sprint(p.Seed))
	}
	for _, k := range sortedKeys(p.Weights) {
		add(weightsKey+k, p.Weights[k])
	}
	for _, k := range sortedKeys(p.Versions) {
		add(k, p.Versions[k])
	}
	return out
}
