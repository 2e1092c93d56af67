// Package choose proposes which photos to label first: a batch as diverse as it can
// be by the features of a frozen network, each photo the farthest from all chosen
// before it, and the near-duplicates among them.
package choose

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/imageproc"
	"wsss/data/words"
	"wsss/models/backend"
	"wsss/models/foundation/features"
	"wsss/models/nearest"
)

// Photos are what is chosen from.
type Photos struct {
	IDs  []string // ascending
	Open func(id string) (*imageproc.RGB, error)
}

// InFolder are the photos of a folder.
func InFolder(dir string) (Photos, error) {
	paths, err := folder.List(dir)
	if err != nil {
		return Photos{}, pipeline.UsageError{Err: err}
	}
	if len(paths) == 0 {
		return Photos{}, pipeline.Usagef("data choose: %s holds no photos", dir)
	}
	return Photos{slices.Sorted(maps.Keys(paths)), func(id string) (*imageproc.RGB, error) {
		img, err := data.ReadImage(paths[id])
		if err != nil {
			return nil, err
		}
		return imageproc.FromImage(img), nil
	}}, nil
}

// OfDataset are the photos of splits.
func OfDataset(ds data.Dataset, splits []string) (Photos, error) {
	var all []string
	for _, split := range splits {
		ids, err := ds.IDs(split)
		if err != nil {
			return Photos{}, err
		}
		all = append(all, ids...)
	}
	if len(all) == 0 {
		return Photos{}, pipeline.Usagef("data choose: there are no photos in the splits %s of the dataset", strings.Join(splits, ", "))
	}
	slices.Sort(all)
	return Photos{slices.Compact(all), func(id string) (*imageproc.RGB, error) {
		s, err := ds.Load(id, data.WantImage)
		if err != nil {
			return nil, err
		}
		return imageproc.FromImage(s.Image), nil
	}}, nil
}

// listed gives the places in IDs of those that a file lists, one a line; lines that
// begin with # are left out. An unknown id is an error.
func (p Photos) listed(file string) ([]int, error) {
	raw, err := files.ReadLimited(file, 1<<26)
	if err != nil {
		return nil, pipeline.Usagef("data choose: -taken: %w", err)
	}
	var at []int
	for n, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i, ok := slices.BinarySearch(p.IDs, line)
		if !ok {
			return nil, pipeline.Usagef("data choose: -taken %s, line %d: there is no photo %q", file, n+1, line)
		}
		at = append(at, i)
	}
	return at, nil
}

// Encode gives each photo the mean of its features, by an engine's network.
func (p Photos) Encode(ctx context.Context, engine string, network features.Table, progress func(done, total int)) (*nearest.Index, error) {
	b, err := backend.Open(engine)
	if err != nil {
		return nil, pipeline.UsageError{Err: err}
	}
	defer b.Finalize()
	net, err := network.Open(b, "features")
	if errors.Is(err, fs.ErrNotExist) {
		err = pipeline.MissingError{Lacks: []string{err.Error()}}
	}
	if err != nil {
		return nil, err
	}
	defer net.Close() //nolint:errcheck // memory only
	rows := make([][]float32, len(p.IDs))
	err = data.Parallel(ctx, len(rows), progress, func(i int) (err error) {
		if rows[i], err = p.mean(ctx, net, p.IDs[i]); err != nil {
			return fmt.Errorf("%s: %w", p.IDs[i], err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	index := nearest.New(len(rows[0]))
	index.Grow(len(rows))
	for _, r := range rows {
		index.Add(r)
	}
	return index, nil
}

// mean is that of the features of a photo.
func (p Photos) mean(ctx context.Context, net *features.Network, id string) ([]float32, error) {
	img, err := p.Open(id)
	if err != nil {
		return nil, err
	}
	maps, err := net.Maps(ctx, img)
	if err != nil {
		return nil, err
	}
	whole := data.RLE{W: img.W, H: img.H, Counts: []uint32{0, uint32(img.W * img.H)}}
	row := maps[0].Pool(maps[0].Weights(whole), true)
	if row == nil {
		return nil, fmt.Errorf("the network gives no features")
	}
	return row, nil
}

// Batch is what was chosen.
type Batch struct {
	Duplicates [][]string // groups of near-duplicates
	Extra      int        // photos that are near-duplicates of others
	IDs        []string   // chosen, the farthest first
}

// Choose chooses n photos, of each group of near-duplicates, whose features have a
// cosine of at least same, no more than the first. taken are the places of photos
// that are labelled already: the batch is far from them and their near-duplicates.
func (p Photos) Choose(ctx context.Context, index *nearest.Index, n int, same float64, taken []int) (Batch, error) {
	groups, err := index.Duplicates(ctx, float32(same))
	if err != nil {
		return Batch{}, err
	}
	var b Batch
	repeated := map[int]bool{}
	for _, g := range groups {
		known := slices.ContainsFunc(g, func(i int) bool { return slices.Contains(taken, i) })
		for k, i := range g {
			if k > 0 || known { // one of it is labelled
				repeated[i] = true
			}
		}
		b.Extra += len(g) - 1
		b.Duplicates = append(b.Duplicates, p.names(g))
	}
	rows, _ := index.Spread(n, taken, func(i int) bool { return !repeated[i] })
	b.IDs = p.names(rows)
	return b, nil
}

func (p Photos) names(places []int) []string {
	names := make([]string, len(places))
	for k, i := range places {
		names[k] = p.IDs[i]
	}
	return names
}

// WriteText prints the near-duplicates among all photos, n of which were asked for, in
// lines that begin with #.
func (b Batch) WriteText(w io.Writer, all, n int, same float64) {
	fmt.Fprintf(w, "# %s, of which %d are near-duplicates of others (cosine of at least %v)\n", words.Plural(all, "photo"), b.Extra, same)
	for _, g := range b.Duplicates {
		fmt.Fprintf(w, "#   %s: %s\n", g[0], strings.Join(g[1:], " "))
	}
	if len(b.IDs) < n {
		fmt.Fprintf(w, "# there are only %d to choose from\n", len(b.IDs))
	}
}

// writeIDs prints the chosen photos, one a line.
func (b Batch) writeIDs(w io.Writer) error {
	for _, id := range b.IDs {
		if _, err := fmt.Fprintln(w, id); err != nil {
			return err
		}
	}
	return nil
}

// Network is the table of a network of features: a file, or a model by its name, with
// further keys as TOML lines.
func Network(network string, with []string, cache string) (features.Table, error) {
	var t features.Table
	keys := map[string]any{}
	if _, err := toml.Decode(strings.Join(with, "\n"), &keys); err != nil {
		return t, fmt.Errorf("data choose: -with %s: allowed are keys of the network's table with their values, as in side=448 or norm=\"clip\"", strings.Join(with, " "))
	}
	if err := configs.Decode("features", keys, &t); err != nil {
		return t, err
	}
	if _, err := os.Stat(network); err == nil || slices.Contains([]string{".onnx", ".pth", ".pt", ".safetensors"}, filepath.Ext(network)) {
		t.Network = network
	} else {
		t.Model = network
	}
	t.Cache = cmp.Or(cache, t.Cache)
	return t, t.Check("features")
}
