package ram

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/checkpoints/files"
	"wsss/data/imageproc"
	"wsss/data/prob"
	"wsss/data/stages"
	"wsss/models/foundation"
)

// List is the model's vocabulary: tag names and the probability above which
// each counts.
type List struct {
	Names      []string
	Thresholds []float32
}

// maxListBytes bounds the files that LoadList reads.
const maxListBytes = 4 << 20

// LoadList reads ram_tag_list.txt and ram_tag_list_threshold.txt: one tag, one
// threshold per line.
func LoadList(names, thresholds string) (*List, error) {
	var l List
	err := eachLine(names, func(line string) error {
		l.Names = append(l.Names, strings.TrimSpace(line))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = eachLine(thresholds, func(line string) error {
		v, err := strconv.ParseFloat(strings.TrimSpace(line), 32)
		if err != nil || !(v >= 0 && v <= 1) {
			return fmt.Errorf("threshold %.20q: allowed is 0..1", line)
		}
		l.Thresholds = append(l.Thresholds, float32(v))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(l.Names) == 0 || len(l.Names) != len(l.Thresholds) {
		return nil, fmt.Errorf("%s has %d tags, %s %d thresholds: they must be equally many", names, len(l.Names), thresholds, len(l.Thresholds))
	}
	return &l, nil
}

func eachLine(path string, f func(string) error) error {
	file, _, err := files.OpenRegular(path)
	if err != nil {
		return err
	}
	defer file.Close()
	scan := bufio.NewScanner(io.LimitReader(file, maxListBytes))
	for n := 1; scan.Scan(); n++ {
		if err := f(scan.Text()); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, n, err)
		}
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Tag is one tag of an image.
type Tag struct {
	Name  string
	Score float32 // probability; 1 from exports that return decisions only
}

// Model tags images. It is safe for concurrent use.
type Model struct {
	s      foundation.Session
	list   *List
	image  string
	size   int
	output string
}

// New makes a tagger. The session has one image input [1, 3, size, size], and
// one output of a value per tag of the list: logits, or decisions 0 and 1.
func New(s foundation.Session, list *List) (*Model, error) {
	in := s.Inputs()
	if len(in) != 1 || len(in[0].Dims) != 4 {
		return nil, fmt.Errorf("not a known RAM: its inputs are %s; wanted one image [1, 3, 384, 384]", foundation.Names(in))
	}
	m := &Model{s: s, list: list, image: in[0].Name, size: 384}
	if d := in[0].Dims[3]; d > 0 {
		m.size = d
	}
	for _, p := range s.Outputs() {
		if len(p.Dims) == 2 && (p.Dims[1] == len(list.Names) || p.Dims[1] < 0) {
			m.output = p.Name
			return m, nil
		}
	}
	return nil, fmt.Errorf("not a known RAM for %d tags: its outputs are %s; wanted one of [1, %d]", len(list.Names), foundation.Names(s.Outputs()), len(list.Names))
}

// Tags lists the image's tags, in the order of the list.
func (m *Model) Tags(ctx context.Context, img *imageproc.RGB) ([]Tag, error) {
	defer stages.Start(ctx, stages.Tag)()
	pixels := make([]float32, 3*m.size*m.size)
	img.Resize(m.size, m.size, imageproc.Bilinear).Planar(imageproc.ImageNetNorm, pixels, m.size, m.size)
	in := map[string]*tensors.Tensor{m.image: tensors.FromFlatDataAndDimensions(pixels, 1, 3, m.size, m.size)}
	defer foundation.Free(in)
	out, err := m.s.Run(ctx, in, m.output)
	if err != nil {
		return nil, fmt.Errorf("RAM: %w", err)
	}
	values, dims, err := foundation.Floats(out, m.output, 2)
	if err != nil {
		return nil, fmt.Errorf("RAM: %w", err)
	}
	if dims[0] != 1 || dims[1] != len(m.list.Names) {
		return nil, fmt.Errorf("RAM gave %v values for %d tags", dims, len(m.list.Names))
	}
	return m.list.Decide(values)
}

// Decide applies the tags' thresholds to logits; values that are all 0 or 1
// are decisions made inside the model (docs/sources.md §5.1).
func (l *List) Decide(values []float32) ([]Tag, error) {
	if len(values) != len(l.Names) {
		return nil, errors.New("not one value per tag")
	}
	decided := true
	for _, v := range values {
		decided = decided && (v == 0 || v == 1)
	}
	var tags []Tag
	for i, v := range values {
		if decided {
			if v == 1 {
				tags = append(tags, Tag{l.Names[i], 1})
			}
			continue
		}
		if p := prob.Sigmoid(v); p > l.Thresholds[i] {
			tags = append(tags, Tag{l.Names[i], p})
		}
	}
	return tags, nil
}
