package official

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"wsss/checkpoints/files"
)

// hiera is what the weights of SAM 2's image encoder do not tell of its layout
// (docs/sources.md §3.6).
type hiera struct {
	side    int   // of the square images
	heads   int   // of attention in the first stage; each further one has twice as many
	windows []int // their sides by stage, in places of the stage's map
	global  []int // blocks that attend to the whole map
}

// hieras are the published layouts, by channels and blocks of their stages.
var hieras = []struct {
	name   string
	embed  int
	blocks []int
	hiera
}{
	{"tiny", 96, []int{1, 2, 7, 2}, hiera{1024, 1, []int{8, 4, 14, 7}, []int{5, 7, 9}}},
	{"small", 96, []int{1, 2, 11, 2}, hiera{1024, 1, []int{8, 4, 14, 7}, []int{7, 10, 13}}},
	{"base+", 112, []int{2, 3, 16, 3}, hiera{1024, 2, []int{8, 4, 14, 7}, []int{12, 16, 20}}},
	{"large", 144, []int{2, 6, 36, 4}, hiera{1024, 2, []int{8, 4, 16, 8}, []int{23, 33, 43}}},
}

// hieraOf is the layout of the network in a checkpoint: a published one, or that of
// Hugging Face's config.json beside it.
func (n *net) hieraOf(path string) hiera {
	embed := n.WeightShape(trunk+".patch_embed.proj.weight", 4)[0]
	blocks := n.hieraBlocks()
	for _, p := range hieras {
		if p.embed == embed && slices.Equal(p.blocks, blocks) {
			return p.hiera
		}
	}
	h, err := readHiera(filepath.Join(filepath.Dir(path), "config.json"), blocks)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: %d channels and %v blocks are no published SAM 2 (tiny, small, base+, large): put Hugging Face's config.json beside it, which tells the layout", path, embed, blocks)
	}
	n.fail(err)
	return h
}

// hieraBlocks counts the blocks of each stage. A stage begins with a block that
// changes the number of channels.
func (n *net) hieraBlocks() []int {
	stages := []int{0}
	for i := range n.Count(trunk+".blocks", "norm1.weight") {
		if n.HasWeight(sub(trunk+".blocks", i) + ".proj.weight") {
			stages = append(stages, 0)
		}
		stages[len(stages)-1]++
	}
	return stages
}

// oneOrTwo is a side, or height and width, which are the same.
type oneOrTwo int

func (s *oneOrTwo) UnmarshalJSON(raw []byte) error {
	var list []int
	if json.Unmarshal(raw, (*int)(s)) == nil {
		return nil
	}
	if err := json.Unmarshal(raw, &list); err != nil || len(list) != 2 || list[0] != list[1] {
		return fmt.Errorf("image_size %s: allowed are one side, or two that are the same", raw)
	}
	*s = oneOrTwo(list[0])
	return nil
}

// readHiera reads the layout from a config of transformers.
func readHiera(path string, blocks []int) (h hiera, err error) {
	raw, err := files.ReadLimited(path, files.MaxRecord)
	if err != nil {
		return h, err
	}
	var c struct {
		Vision struct {
			Backbone struct {
				Blocks  []int    `json:"blocks_per_stage"`
				Heads   []int    `json:"num_attention_heads_per_stage"`
				Windows []int    `json:"window_size_per_stage"`
				Global  []int    `json:"global_attention_blocks"`
				Side    oneOrTwo `json:"image_size"`
			} `json:"backbone_config"`
		} `json:"vision_config"`
		Decoder struct {
			Heads *int `json:"num_attention_heads"`
		} `json:"mask_decoder_config"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return h, fmt.Errorf("%s: %w", path, err)
	}
	b := c.Vision.Backbone
	h = hiera{side: int(b.Side), windows: b.Windows, global: b.Global}
	if len(b.Heads) > 0 {
		h.heads = b.Heads[0]
	}
	switch {
	case !slices.Equal(b.Blocks, blocks):
		err = fmt.Errorf("blocks_per_stage is %v, the weights have %v", b.Blocks, blocks)
	case len(h.windows) != len(blocks) || slices.Min(h.windows) < 2 || h.heads < 1:
		err = fmt.Errorf("window_size_per_stage %v and num_attention_heads_per_stage %v: wanted is one of each for %d stages", h.windows, b.Heads, len(blocks))
	case h.side < 64 || h.side > 4096 || h.side%32 != 0:
		err = fmt.Errorf("image_size %d: allowed are multiples of 32, from 64 to 4096", h.side)
	case c.Decoder.Heads != nil && *c.Decoder.Heads != samHeads:
		err = fmt.Errorf("num_attention_heads of the mask decoder is %d: allowed is %d", *c.Decoder.Heads, samHeads)
	}
	for i, heads := range b.Heads {
		if err == nil && heads != h.heads<<i {
			err = fmt.Errorf("num_attention_heads_per_stage %v: wanted are twice as many in each stage", b.Heads)
		}
	}
	if err != nil {
		return h, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}
