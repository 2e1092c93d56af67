package rules

import (
	"os"
	"path/filepath"
	"testing"

	"wsss/models/onnximport/legalise"
	"wsss/models/onnximport/onnxfile"
)

// FuzzLegalise feeds damaged models to the legaliser and the encoder: errors
// are fine, panics and endless work are not.
func FuzzLegalise(f *testing.F) {
	for _, name := range []string{"scripted", "clip_text"} {
		data, err := os.ReadFile("../testdata/exports/" + name + ".onnx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "m.onnx")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		file, err := onnxfile.Open(path)
		if err != nil {
			return
		}
		defer file.Close()
		opt := legalise.Options{Shapes: map[string][]int{}, LowerConv: true, NoSort: true,
			Values: map[string]*legalise.Const{"size": {Ints: []int64{5, 7}}}}
		for _, in := range file.Proto.Graph.Input {
			dims, _, err := legalise.InputType(in)
			if err != nil {
				continue
			}
			for i, d := range dims {
				if d < 0 {
					dims[i] = 2
				}
			}
			opt.Shapes[in.Name] = dims
		}
		prog, err := legalise.Run(file, opt)
		if err != nil {
			return
		}
		if _, err := prog.Proto(); err != nil {
			t.Fatal(err)
		}
	})
}
