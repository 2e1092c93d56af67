package validate

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"wsss/data"
	"wsss/data/words"
)

// WriteJSON prints reports as an array.
func WriteJSON(w io.Writer, reports []*Report) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(reports)
}

// WriteText prints the report for a person: what there is, the classes, and at most
// show findings; 0 is all that are kept. opts are those of Run.
func (r *Report) WriteText(w io.Writer, show int, opts Options) {
	images := fmt.Sprintf("%d readable", r.Images)
	if opts.SkipImages {
		images = "images not read"
	}
	fmt.Fprintf(w, "%s %s: %s, %s, %s\n", r.Dataset, r.Split, words.Plural(r.Samples, "sample"), images, words.Plural(r.Masks, "mask"))
	fmt.Fprintf(w, "images with tags %d, points %d, scribbles %d, boxes %d, masks %d, of %d\n", r.Tags, r.Points, r.Scribbles, r.Boxes, r.Masks, r.Samples)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "class\tname\tpixels\tshare\timages\ttags\tpoints\tscribbles\tboxes\t")
	for _, c := range r.Classes {
		fmt.Fprintf(t, "%d\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%d\t\n", c.Class, printable(c.Name), c.Pixels, share(c.Pixels, r.Pixels), c.Images, c.Tags, c.Points, c.Scribbles, c.Boxes)
	}
	fmt.Fprintf(t, "255\tvoid\t%d\t%s\t\t\t\t\t\t\n", r.Void, share(r.Void, r.Pixels))
	t.Flush()
	for i, f := range r.Findings {
		if show > 0 && i == show {
			fmt.Fprintf(w, "… %d more; -show 0 prints all\n", r.Errors+r.Warnings-show)
			break
		}
		fmt.Fprintf(w, "%-7s  %s  [%s]\n", f.Level, f.Message, f.Kind)
	}
	fmt.Fprintf(w, "%s, %s\n\n", words.Plural(r.Errors, "error"), words.Plural(r.Warnings, "warning"))
}

func share(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}

// WriteLines lists the bad lines of a label file, without which the dataset
// cannot be opened, and gives their number.
func WriteLines(w io.Writer, e *data.LineErrors) int {
	for i := range e.Lines {
		fmt.Fprintf(w, "%-7s  %s  [labels]\n", Error, printable(e.Text(i)))
	}
	if e.More > 0 {
		fmt.Fprintf(w, "… %d more\n", e.More)
	}
	return len(e.Lines) + e.More
}
