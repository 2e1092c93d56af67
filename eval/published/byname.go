package published

import "fmt"

// Name is the row's identity as configs write it, "box2024 1 17".
func (r Row) Name() string { return fmt.Sprint(r.Paper, " ", r.Table, " ", r.Number) }

// ByName finds a row by its Name.
func ByName(name string) (Row, bool) {
	for _, r := range All() {
		if r.Name() == name {
			return r, true
		}
	}
	return Row{}, false
}
