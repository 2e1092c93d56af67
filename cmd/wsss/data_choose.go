package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/cmd/terminal"
	"wsss/configs"
	"wsss/data"
	"wsss/data/folder"
	"wsss/data/words"
	"wsss/models/backend"
	"wsss/models/foundation/features"
	"wsss/models/foundation/imageproc"
	"wsss/models/nearest"
)

const chooseIntro = `
wsss data choose proposes which photos to label first: a batch as diverse as it
can be, by the features of a frozen network, each photo the farthest from all
chosen before it. Near-duplicates are found on the way, and of each group only
the first counts. The same photos give the same batch.

  wsss data choose -n 50 photos/
  wsss data choose -n 50 -features efficientnet-lite0 -out first.txt photos/
  wsss data choose -n 20 -taken first.txt -out second.txt photos/
  wsss data choose -n 0 -same 0.98 photos/                    near-duplicates alone
  wsss data choose -n 50 -config my.toml -split train -features weights/dino.onnx -with patch=14

The ids are printed one a line, or written to -out; lines that begin with # tell
of near-duplicates. Networks: a model of wsss models list of family features,
clip, efficientnet or resnet, or a file (docs/retrieve.md).`

// chooser is a call of wsss data choose.
type chooser struct {
	*dataFlags
	n        int
	network  string
	with     list
	cache    string
	same     float64
	taken    string
	out      string
	photo    func(id string) (*imageproc.RGB, error)
	ids      []string
	features *nearest.Index
}

func runChoose(ctx context.Context, args []string) error {
	c := chooser{dataFlags: newDataFlags("data choose", chooseIntro)}
	c.IntVar(&c.n, "n", 50, "`photos` to choose; 0 = near-duplicates alone")
	c.StringVar(&c.network, "features", "dinov2-small", "`network`: a model of wsss models list, or an .onnx, .pth or .safetensors file")
	c.Var(&c.with, "with", "`key=value` of the network's table, such as side=448; may be repeated")
	c.StringVar(&c.cache, "cache", "", "`folder` that keeps features, so that a photo is encoded once")
	c.Float64Var(&c.same, "same", 0.97, "`cosine` of two photos' features from which they are near-duplicates")
	c.StringVar(&c.taken, "taken", "", "`file` of ids, one a line, of photos that are labelled already: the batch is far from them, too")
	c.StringVar(&c.out, "out", "", "`file` for the ids; default standard output")
	c.StringVar(&c.backend, "backend", "", "`engine`: go, onnx, xla:…; default the fastest that works here")
	if err := c.parse(args, 1); err != nil {
		return err
	}
	switch {
	case c.n < 0:
		return pipeline.Usagef("data choose: -n %d: allowed are 0 and more", c.n)
	case !(c.same > 0 && c.same <= 1):
		return pipeline.Usagef("data choose: -same %v: allowed are numbers above 0, up to 1", c.same)
	}
	if err := c.list(); err != nil {
		return err
	}
	taken, err := c.readTaken()
	if err != nil {
		return err
	}
	if err := c.encode(ctx); err != nil {
		return err
	}
	return c.report(ctx, taken)
}

// list finds the photos.
func (c *chooser) list() error {
	if c.NArg() == 1 {
		if c.config != "" || c.kind != "" || c.root != "" {
			return pipeline.Usagef("data choose: a folder of photos, -config, or -kind with -root: allowed is one of them")
		}
		paths, err := folder.List(c.Arg(0))
		if err != nil {
			return pipeline.UsageError{Err: err}
		}
		if len(paths) == 0 {
			return pipeline.Usagef("data choose: %s holds no photos", c.Arg(0))
		}
		c.ids = slices.Sorted(maps.Keys(paths))
		c.photo = func(id string) (*imageproc.RGB, error) {
			img, err := data.ReadImage(paths[id])
			if err != nil {
				return nil, err
			}
			return imageproc.FromImage(img), nil
		}
		return nil
	}
	ds, splits, err := c.open()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, split := range splits {
		ids, err := ds.IDs(split)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !seen[id] {
				seen[id] = true
				c.ids = append(c.ids, id)
			}
		}
	}
	slices.Sort(c.ids)
	c.photo = func(id string) (*imageproc.RGB, error) {
		s, err := ds.Load(id, data.WantImage)
		if err != nil {
			return nil, err
		}
		return imageproc.FromImage(s.Image), nil
	}
	return nil
}

// readTaken gives the places of the ids in a file; unknown ones are an error.
func (c *chooser) readTaken() ([]int, error) {
	if c.taken == "" {
		return nil, nil
	}
	raw, err := files.ReadLimited(c.taken, 1<<26)
	if err != nil {
		return nil, err
	}
	var at []int
	for n, line := range strings.Split(string(raw), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i, ok := slices.BinarySearch(c.ids, line)
		if !ok {
			return nil, pipeline.Usagef("data choose: -taken %s, line %d: there is no photo %q", c.taken, n+1, line)
		}
		at = append(at, i)
	}
	return at, nil
}

// table is the network's, of the flags.
func (c *chooser) table() (features.Table, error) {
	var t features.Table
	keys := map[string]any{}
	if _, err := toml.Decode(strings.Join(c.with, "\n"), &keys); err != nil {
		return t, pipeline.Usagef("data choose: -with %s: allowed are keys of the network's table with their values, as in side=448 or norm=\"clip\"", strings.Join(c.with, " "))
	}
	if err := configs.Decode("features", keys, &t); err != nil {
		return t, pipeline.UsageError{Err: err}
	}
	if _, err := os.Stat(c.network); err == nil {
		t.Network = c.network
	} else {
		t.Model = c.network
	}
	t.Cache = cmp.Or(c.cache, t.Cache)
	if err := t.Check("features"); err != nil {
		return t, pipeline.UsageError{Err: err}
	}
	return t, nil
}

// encode gives each photo the mean of its features.
func (c *chooser) encode(ctx context.Context) error {
	t, err := c.table()
	if err != nil {
		return err
	}
	b, err := backend.Open(c.backend)
	if err != nil {
		return pipeline.UsageError{Err: err}
	}
	defer b.Finalize()
	net, err := t.Open(b, "features")
	if err != nil {
		return err
	}
	defer net.Close() //nolint:errcheck // memory only
	rows := make([][]float32, len(c.ids))
	bar := terminal.NewBar("look at photos", c.quiet)
	err = data.Parallel(ctx, len(c.ids), bar.Update, func(i int) error {
		img, err := c.photo(c.ids[i])
		if err != nil {
			return fmt.Errorf("%s: %w", c.ids[i], err)
		}
		maps, err := net.Maps(ctx, img)
		if err != nil {
			return fmt.Errorf("%s: %w", c.ids[i], err)
		}
		whole := data.RLE{W: img.W, H: img.H, Counts: []uint32{0, uint32(img.W * img.H)}}
		if rows[i] = maps[0].Pool(maps[0].Weights(whole), true); rows[i] == nil {
			return fmt.Errorf("%s: the network gives no features", c.ids[i])
		}
		return nil
	})
	if err != nil {
		bar.Abort()
		return err
	}
	bar.Finish()
	c.features = nearest.New(len(rows[0]))
	c.features.Grow(len(rows))
	for _, r := range rows {
		c.features.Add(r)
	}
	return nil
}

// report writes the batch.
func (c *chooser) report(ctx context.Context, taken []int) error {
	groups, err := c.features.Duplicates(ctx, float32(c.same))
	if err != nil {
		return err
	}
	repeated, extra := map[int]bool{}, 0
	for _, g := range groups {
		known := slices.ContainsFunc(g, func(i int) bool { return slices.Contains(taken, i) })
		for k, i := range g {
			if k > 0 || known { // one of it is labelled
				repeated[i] = true
			}
			if k > 0 {
				extra++
			}
		}
	}
	fmt.Fprintf(stdout, "# %s, of which %d are near-duplicates of others (cosine of at least %v)\n", words.Plural(len(c.ids), "photo"), extra, c.same)
	for _, g := range groups {
		line := "#   " + c.ids[g[0]] + ":"
		for _, i := range g[1:] {
			line += " " + c.ids[i]
		}
		fmt.Fprintln(stdout, line)
	}
	rows, _ := c.features.Spread(c.n, taken, func(i int) bool { return !repeated[i] })
	if len(rows) < c.n {
		fmt.Fprintf(stdout, "# there are only %d to choose from\n", len(rows))
	}
	write := func(w io.Writer) error {
		for _, i := range rows {
			if _, err := fmt.Fprintln(w, c.ids[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if c.out == "" {
		return write(stdout)
	}
	if err := files.WriteAtomic(c.out, write); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s in %s\n", words.Plural(len(rows), "photo"), c.out)
	return nil
}
