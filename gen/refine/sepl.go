package refine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"wsss/configs"
	"wsss/data"
	"wsss/data/files"
	"wsss/gen"
	"wsss/gen/sepl"
	"wsss/gen/source"
)

func init() {
	register("sepl", "SEPL: labels refined by class-agnostic masks, such as SAM's automatic ones", newSEPL,
		func(o *seplOptions) *source.Options { return &o.From })
}

// seplOptions are the keys of [gen.options]; exactly one of Masks and Sidecars
// is set.
type seplOptions struct {
	From     source.Options `toml:"from"`
	Masks    string         `toml:"masks"`    // folder of folders <id>/*.png, one mask each, 255 inside: what SAM's own script writes (METHODS §1.1)
	Sidecars string         `toml:"sidecars"` // a run's folder: the masks of <id>.json, whatever their class
	Variant  sepl.Variant   `toml:"variant"`  // max_iou_imp2 (default, the released code), max_iou_imp, max_iou, score_aware
}

type seplMethod struct {
	opts    seplOptions
	from    *source.Source
	classes int
}

func newSEPL(env gen.Env) (gen.Method, error) {
	o := seplOptions{Variant: sepl.MaxIoUImp2}
	if err := configs.Decode("gen.options", env.Gen.Options, &o); err != nil {
		return nil, err
	}
	if (o.Masks == "") == (o.Sidecars == "") {
		return nil, errors.New("[gen.options] allowed is exactly one of masks and sidecars")
	}
	if !slices.Contains(sepl.Variants, o.Variant) {
		return nil, fmt.Errorf("[gen.options] variant = %q: allowed are %v", o.Variant, sepl.Variants)
	}
	if _, err := os.Stat(o.Masks + o.Sidecars); err != nil {
		return nil, fmt.Errorf("[gen.options] %w", err)
	}
	from, err := source.Open(env, "gen.options.from", o.From)
	if err != nil {
		return nil, err
	}
	return &seplMethod{o, from, env.Classes.Len()}, nil
}

func (m *seplMethod) Weights() map[string]string { return m.from.Weights() }

func (m *seplMethod) Inputs() (map[string]string, error) {
	more := folders{}
	if m.opts.Masks != "" {
		more[m.opts.Masks] = func() (string, error) { return countEntries(m.opts.Masks) }
	} else {
		more[m.opts.Sidecars] = func() (string, error) { return source.Describe(m.opts.Sidecars, ".json") }
	}
	return inputs(more, m.from)
}

// countEntries describes a folder of many folders by their number: a whole
// data set has millions of masks.
func countEntries(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	return fmt.Sprintf("%d folders", len(entries)), err
}

// Generate returns one mask per class of the refined label.
func (m *seplMethod) Generate(ctx context.Context, s *data.Sample) ([]gen.Mask, error) {
	label, _, err := m.from.Label(ctx, s)
	if err != nil {
		return nil, err
	}
	var masks []data.RLE
	if m.opts.Masks != "" {
		masks, err = readMaskFolder(m.opts.Masks, s.ID)
	} else {
		masks, err = readSidecarMasks(m.opts.Sidecars, s.ID)
	}
	if err != nil {
		return nil, err
	}
	refined, err := sepl.Refine(label, masks, m.classes, m.opts.Variant)
	if err != nil {
		return nil, err
	}
	return gen.LabelMasks(refined, nil, "sepl"), nil
}

// readMaskFolder reads dir/<id>/*.png in the order of their names. A pixel is
// inside where its value is 255; other files are skipped.
func readMaskFolder(dir, id string) ([]data.RLE, error) {
	folder, err := files.Join(dir, id)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var masks []data.RLE
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".png" {
			continue
		}
		m, err := data.ReadLabelMap(filepath.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		for i, v := range m.Pix {
			m.Pix[i] = v / 255
		}
		masks = append(masks, data.EncodeRLE(m.Pix, m.W, m.H))
	}
	return masks, nil
}

func readSidecarMasks(dir, id string) ([]data.RLE, error) {
	path, err := files.Join(dir, id+".json")
	if err != nil {
		return nil, err
	}
	side, err := gen.ReadSidecar(path)
	if err != nil {
		return nil, err
	}
	masks := make([]data.RLE, len(side.Masks))
	for i, m := range side.Masks {
		masks[i] = m.Bits
	}
	return masks, nil
}
