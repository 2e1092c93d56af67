package weights

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText lists every tensor of the file and where it goes, and every variable
// without one.
func (m Mapping) WriteText(w io.Writer, src Source) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "tensor\tshape\tvariable")
	for _, p := range m.Pairs {
		fmt.Fprintf(t, "%s\t%v\t%s\n", p.Tensor, p.Shape, p.Variable)
	}
	for _, p := range m.Differ {
		fmt.Fprintf(t, "%s\t%v\tnot %s, which has another shape\n", p.Tensor, p.Shape, p.Variable)
	}
	for _, name := range m.Unused {
		shape, err := src.Shape(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "%s\t%v\tunused\n", name, shape)
	}
	for _, name := range m.Missing {
		fmt.Fprintf(t, "not in the file\t\t%s\n", name)
	}
	return t.Flush()
}
