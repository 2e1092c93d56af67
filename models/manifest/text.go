package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"wsss/models/official"
	"wsss/models/onnximport/onnxfile"
)

// WriteText prints the models, their files, licences and sources, and which files are
// here.
func (s *Store) WriteText(out io.Writer) error {
	fmt.Fprintf(out, "Folder: %s\n\n", s.dir)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODEL\tFILE\tSIZE\tSTATE\tLICENCE\tSOURCE")
	for _, m := range Models() {
		name, licence, origin := m.Name, m.Licence, m.Origin()
		for _, st := range s.Status(m) {
			state := string(st.State)
			if st.State == Good {
				state = "here"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", name, st.File.Name(), st.File.SizeText(), state, licence, origin)
			name, licence, origin = "", "", ""
		}
	}
	return w.Flush()
}

// WritePulled says where a model is, by which licence, and which parts of its
// checkpoints no graph takes.
func (s *Store) WritePulled(w io.Writer, m Model) error {
	fmt.Fprintf(w, "%s is in %s (licence: %s)\n", m.Name, s.Path(m, File{Local: "."}), m.Licence)
	parts := ""
	for _, f := range m.Files {
		if f.Build == "" {
			continue
		}
		graph, err := onnxfile.Open(s.Path(m, f))
		if err != nil {
			return err
		}
		parts = graph.Metadata()[official.NotNeeded]
		if err := graph.Close(); err != nil {
			return err
		}
	}
	if parts != "" {
		fmt.Fprintf(w, "  not needed for photos: %s\n", parts)
	}
	return nil
}

// VerifyAll verifies models, prints a line for each file, and gives what is wrong as one
// error. Of all models, no names, only the files that are here count.
func (s *Store) VerifyAll(ctx context.Context, models []Model, w io.Writer) error {
	all := len(models) == 0
	if all {
		models = Models()
	}
	var wrong []error
	for _, m := range models {
		list, err := s.Verify(ctx, m)
		if err != nil {
			return err
		}
		for _, st := range list {
			if st.State == Absent && all {
				continue
			}
			fmt.Fprintf(w, "%-9s %s/%s\n", st.State, m.Name, st.File.Name())
			switch st.State {
			case Damaged:
				wrong = append(wrong, st.Err)
			case Absent:
				wrong = append(wrong, fmt.Errorf("%s is missing", st.Path))
			}
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d files are not as they should be:\n  %s", len(wrong), strings.ReplaceAll(errors.Join(wrong...).Error(), "\n", "\n  "))
	}
	return nil
}
