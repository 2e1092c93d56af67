package retrieve

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"wsss/cmd/bench/internal/spent"
	"wsss/configs"
	"wsss/data"
	"wsss/data/imageproc"
	"wsss/data/vector"
	"wsss/gen"
	"wsss/models/nearest"
)

func (b *bench) env() gen.Env {
	return gen.Env{Backend: b.backend, Classes: b.ds.Classes(), Weak: data.WeakNone, Seed: 1}
}

func (b *bench) decode(ctx context.Context) (photos []*data.Sample, err error) {
	photos = make([]*data.Sample, len(b.ids))
	return photos, b.timed(ctx, stageDecode, len(b.ids), func(i int) error {
		photos[i], err = b.ds.Load(b.ids[i], data.WantImage)
		return err
	})
}

// encode measures a network alone, and leaves its features in a cache.
func (b *bench) encode(ctx context.Context, net *network, photos []*data.Sample, scratch string) error {
	n, err := net.table.Open(b.backend, "features")
	if err != nil {
		return err
	}
	err = b.timed(ctx, stageFeatures+net.name, len(photos), func(i int) error {
		maps, err := n.Maps(ctx, imageproc.FromImage(photos[i].Image))
		if err == nil {
			net.dim = maps[0].C
		}
		return err
	})
	if err != nil {
		return err
	}
	net.table.Cache = filepath.Join(scratch, "cache-"+net.name)
	if err := n.SetCache(net.table.Cache, 1<<34); err != nil {
		return err
	}
	for _, p := range photos {
		maps, err := n.Maps(ctx, imageproc.FromImage(p.Image))
		if err != nil {
			return err
		}
		net.maps = append(net.maps, maps[0])
	}
	return n.Close()
}

// retrieve measures what comes after the networks, whose results lie on disk: the bank, its
// neighbours and the queries for as many photos as the cost is told of, and labels.
func (b *bench) retrieve(ctx context.Context, net *network, photos []*data.Sample, scratch string) error {
	labels, cells := filepath.Join(scratch, "labels"), filepath.Join(scratch, "cells")
	regions, err := b.paint(labels, cells)
	if err != nil {
		return err
	}
	if err := b.pool(ctx, net, photos); err != nil {
		return err
	}
	m, o, err := b.method(net, labels, cells)
	if err != nil {
		return err
	}
	n := time.Duration(len(photos))
	begin, cpu := time.Now(), spent.Self()
	if err := gen.Learn(ctx, m, gen.Lesson{Dataset: b.ds, IDs: b.ids, Dir: filepath.Join(scratch, net.name)}); err != nil {
		return err
	}
	b.add(stageBank+net.name, time.Since(begin)/n, (spent.Self()-cpu)/n, false)
	if err := b.search(ctx, net, float64(regions)/float64(len(photos))); err != nil {
		return err
	}
	cpu = spent.Self()
	sum, err := gen.Run(ctx, gen.RunOptions{Dataset: b.ds, Split: b.split, Method: m, Name: "retrieve", Weak: data.WeakNone, Fuse: o.Fuse,
		OutDir: filepath.Join(scratch, net.name), ConfigHash: net.name, Workers: 1})
	if err != nil {
		return err
	}
	n = time.Duration(sum.Generated)
	b.add(stageRest+net.name, sum.Times.Total()/n, (spent.Self()-cpu)/n, false)
	for _, s := range []struct {
		name string
		took time.Duration
	}{
		{"decode", sum.Times.Decode}, {"features from the cache", sum.Times.Embed}, {"pool, query of these photos' bank, votes", sum.Times.Prompt}, {"fuse", sum.Times.Fuse}, {"write", sum.Times.Write},
	} {
		b.add(s.name, s.took/n, s.took/n, true)
	}
	return nil
}

// method is retrieve with a photo's cells as proposals, and its true masks as labels.
func (b *bench) method(net *network, labels, cells string) (gen.Method, configs.Gen, error) {
	env := b.env()
	env.Gen = configs.Default().Gen
	env.Gen.Method, env.Gen.Weak = "retrieve", string(data.WeakNone)
	env.Gen.Options = map[string]any{
		"features": net.options(), "from": map[string]any{"labels": labels}, "empty": "allow",
		"proposals": []any{map[string]any{"labels": cells, "parts": false}},
	}
	m, err := gen.New(env)
	return m, env.Gen, err
}

// paint writes the photos' true masks, and label maps of so many equal cells, which are
// proposals that cover a photo once. It counts the regions of the bank.
func (b *bench) paint(labels, cells string) (regions int, err error) {
	for _, id := range b.ids {
		s, err := b.ds.Load(id, data.WantTruth)
		if err != nil {
			return 0, err
		}
		for class, there := range s.Truth.Present() {
			if there && class != data.Ignore {
				regions++
			}
		}
		grid := data.NewLabelMap(s.Truth.W, s.Truth.H)
		for i := range grid.Pix {
			grid.Pix[i] = uint8(1 + b.cell(i%grid.W, i/grid.W, grid.W, grid.H))
		}
		for dir, label := range map[string]*data.LabelMap{labels: s.Truth, cells: grid} {
			if err := writeLabel(filepath.Join(dir, id+".png"), label); err != nil {
				return 0, err
			}
		}
	}
	return regions, nil
}

// cell is the number of the cell that a pixel is in, of a grid of columns and rows.
func (b *bench) cell(x, y, w, h int) int {
	columns := 1
	for columns*columns < b.masks {
		columns++
	}
	rows := (b.masks + columns - 1) / columns
	return min(y*rows/h*columns+x*columns/w, b.masks-1)
}

// pool measures the mean of the features in each of a photo's cells.
func (b *bench) pool(ctx context.Context, net *network, photos []*data.Sample) error {
	masks := make([][]data.RLE, len(photos))
	for i, p := range photos {
		size := p.Image.Rect.Size()
		bits := make([][]uint8, b.masks)
		for k := range bits {
			bits[k] = make([]uint8, size.X*size.Y)
		}
		for j := range size.X * size.Y {
			bits[b.cell(j%size.X, j/size.X, size.X, size.Y)][j] = 1
		}
		for _, one := range bits {
			masks[i] = append(masks[i], data.EncodeRLE(one, size.X, size.Y))
		}
	}
	err := b.timed(ctx, fmt.Sprintf("pool %d masks: %s", b.masks, net.name), len(photos), func(i int) error {
		for _, mask := range masks[i] {
			net.maps[i].Pool(net.maps[i].Weights(mask), true)
		}
		return nil
	})
	b.rows[len(b.rows)-1].part = true // of naming
	return err
}

// search measures neighbours in a bank of the size that all photos would have, of random
// regions: of the bank's own, for cleaning, and of a photo's masks.
func (b *bench) search(ctx context.Context, net *network, regions float64) error {
	r, rows := rand.New(rand.NewPCG(1, 2)), int(regions*float64(b.photos))
	random := func() []float32 {
		v := make([]float32, net.dim)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		vector.Normalise(v)
		return v
	}
	index := nearest.New(net.dim)
	index.Grow(rows)
	for range rows {
		index.Add(random())
	}
	const batches = 4
	queries := make([][][]float32, batches)
	for i := range queries {
		for range b.masks {
			queries[i] = append(queries[i], random())
		}
	}
	err := b.timed(ctx, stageQuery+net.name, batches, func(i int) error {
		_, err := index.Search(ctx, queries[i], 9, nearest.Among{})
		return err
	})
	if err != nil {
		return err
	}
	query := b.rows[len(b.rows)-1]
	share := regions / float64(b.masks) // a photo's regions are as many queries
	b.add(stageClean+net.name, time.Duration(share*float64(query.wall)), time.Duration(share*float64(query.cpu)), false)
	fmt.Fprintf(os.Stderr, "bank of %d photos, %s: %d regions of %d features, %.0f MiB\n", b.photos, net.name, rows, net.dim, float64(rows*net.dim*2)/(1<<20))
	return nil
}
