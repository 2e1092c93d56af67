package gen

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"wsss/checkpoints/files"
	"wsss/configs"
	"wsss/data"
)

// ManifestName is the file in an output folder that says what was run there.
const ManifestName = "run.json"

// maxSidecar bounds what ReadSidecar and ReadManifest read, bytes.
const maxSidecar = 256 << 20

// Provenance says what made a label: enough to make it again.
type Provenance struct {
	Method     string            `json:"method"`
	Weak       data.WeakKind     `json:"weak"`
	ConfigHash string            `json:"config_hash"`
	Fuse       configs.Fuse      `json:"fuse"`
	Weights    map[string]string `json:"weights,omitempty"`  // weight file → SHA-256
	Versions   map[string]string `json:"versions,omitempty"` // module or program → version
	Inputs     map[string]string `json:"inputs,omitempty"`   // folder that the method reads → description of its files (manifests; sidecars of earlier versions)
}

// Manifest describes a whole output folder. It holds neither times nor shard
// numbers: every process that works on the folder writes the same bytes.
type Manifest struct {
	Provenance
	Dataset string   `json:"dataset"`
	Split   string   `json:"split"`
	Images  int      `json:"images"`  // of the whole split
	Classes []string `json:"classes"` // names by label value, background first
	Config  string   `json:"config,omitempty"`
}

// Sidecar describes one label PNG: it lies beside it as <id>.json and is
// written after it, so that a sidecar means that the PNG is whole. It holds no
// times: the same run gives the same bytes.
type Sidecar struct {
	ID     string `json:"id"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	SHA256 string `json:"label_sha256"` // of the PNG file
	Provenance
	Origin  *Origin `json:"origin,omitempty"`  // nil in sidecars of earlier versions
	Quality Signs   `json:"quality,omitempty"` // without ground truth
	// Corrected says what a person corrected: "accepted", "prompts", "tags",
	// "pixels"; "" for nothing.
	Corrected string        `json:"corrected,omitempty"`
	Masks     []SidecarMask `json:"masks"`
}

// SidecarMask is one mask that went into the label, before fusion.
type SidecarMask struct {
	Mask
	Name string `json:"name"` // of the class
	Area int    `json:"area"` // pixels
	RLE  string `json:"rle"`  // COCO's compressed run lengths, column-major
}

// newSidecar describes the masks of one image.
func newSidecar(id string, label *data.LabelMap, sum string, p Provenance, classes data.Classes, masks []Mask) Sidecar {
	s := Sidecar{ID: id, Width: label.W, Height: label.H, SHA256: sum, Provenance: p, Masks: []SidecarMask{}}
	for _, m := range masks {
		s.Masks = append(s.Masks, SidecarMask{Mask: m, Name: classes.Name(m.Class), Area: m.Bits.Area(), RLE: m.Bits.COCOString()})
	}
	return s
}

// ReadSidecar reads a sidecar and unpacks its masks' run lengths into Bits.
// The error names the file.
func ReadSidecar(path string) (*Sidecar, error) {
	raw, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	s, err := parseSidecar(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func parseSidecar(raw []byte) (*Sidecar, error) {
	var s Sidecar
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("not a label sidecar: %w", err)
	}
	if s.Width <= 0 || s.Height <= 0 || int64(s.Width)*int64(s.Height) > data.MaxPixels {
		return nil, fmt.Errorf("label of %d×%d pixels: sides must be positive and the area at most %d", s.Width, s.Height, data.MaxPixels)
	}
	for i := range s.Masks {
		m := &s.Masks[i]
		bits, err := data.ParseCOCOString(m.RLE, s.Width, s.Height)
		if err != nil {
			return nil, fmt.Errorf("mask %d: %w", i, err)
		}
		m.Bits = bits
	}
	return &s, nil
}

// ReadManifest reads the description of an output folder.
func ReadManifest(dir string) (*Manifest, error) {
	path := dir + string(os.PathSeparator) + ManifestName
	raw, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fmt.Errorf("%s: not a run description: %w", path, err)
	}
	return &m, nil
}

func readBounded(path string) ([]byte, error) {
	f, _, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSidecar+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxSidecar {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxSidecar)
	}
	return raw, nil
}
