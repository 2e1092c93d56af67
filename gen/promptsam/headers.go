package promptsam

import (
	"errors"
	"fmt"
	"io/fs"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
	"wsss/models/foundation/sam"
	"wsss/models/manifest"
	"wsss/models/onnximport/onnxfile"
)

// pointsOnly ends the error of a method that prompts with boxes where the
// export takes none.
const pointsOnly = "this SAM export takes points only; use one with Meta's decoder, such as mobile-sam"

// checkSAM tells from the decoder's header whether it takes what the method
// prompts with.
func checkSAM(o pointOptions, g configs.Gen) error {
	if data.WeakKind(g.Weak) != data.WeakBoxes {
		return nil
	}
	if takes, err := o.takesBoxes(); err != nil || takes {
		return err
	}
	return fmt.Errorf("gen.weak = %q: %s", g.Weak, pointsOnly)
}

// checkGrounded does so for a detector's boxes.
func checkGrounded(o groundedOptions, _ configs.Gen) error {
	if takes, err := o.takesBoxes(); err != nil || takes {
		return err
	}
	return fmt.Errorf("gen.method = \"grounded-sam\": %s", pointsOnly)
}

// takesBoxes reads the names of the decoder's inputs. A file that is not there
// is for gen.Needs to tell of.
func (o samOptions) takesBoxes() (bool, error) {
	path := o.Decoder
	if path == "" {
		m, err := manifest.Find(o.SAM)
		if err != nil {
			return true, err
		}
		store, err := manifest.Open(o.ModelDir)
		if err != nil {
			return true, err
		}
		for _, f := range m.Files {
			if f.Role == "decoder" {
				path = store.Path(m, f)
			}
		}
	}
	if _, err := files.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	file, err := onnxfile.Open(path)
	if err != nil {
		return true, err
	}
	defer file.Close()
	var inputs []string
	for _, in := range file.Proto.Graph.Input {
		inputs = append(inputs, in.GetName())
	}
	return sam.DecoderTakesBoxes(inputs), nil
}
