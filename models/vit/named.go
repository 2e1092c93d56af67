package vit

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"wsss/models"
)

// named are the published networks, as train.network.backbone calls them.
var named = map[string]Config{}

func init() {
	sizes := []struct {
		letter string
		width  int
		depth  int
	}{{"t", 192, 12}, {"s", 384, 12}, {"b", 768, 12}, {"l", 1024, 24}}
	plain := func(width, depth, patch, grid int) Config {
		return Config{Width: width, Depth: depth, Heads: width / headWidth, Hidden: 4 * width, Patch: patch, Grid: grid, Epsilon: 1e-6}
	}
	for _, s := range sizes {
		named["vit-"+s.letter+"16"] = plain(s.width, s.depth, 16, 14)
		if s.letter == "t" {
			continue
		}
		c := plain(s.width, s.depth, 14, 37)
		c.LayerScale = true
		named["dinov2-"+s.letter+"14"] = c
		c.Registers, c.Antialias = 4, true
		named["dinov2-"+s.letter+"14-reg"] = c
	}
	for name, c := range map[string]Config{"clip-b16": plain(768, 12, 16, 14), "clip-l14": plain(1024, 24, 14, 16)} {
		c.PreNorm, c.QuickGELU, c.Epsilon = true, true, 1e-5
		named[name] = c
	}
	for _, name := range Names() {
		models.RegisterBackbone(name, func(models.BackboneOptions) (models.Backbone, error) {
			return nil, errors.New("a plain transformer has no stages: train.network.arch = \"vit-linear\" or \"vit-mask\" takes it")
		})
	}
}

// Names lists the published networks.
func Names() []string {
	return slices.Sorted(maps.Keys(named))
}

// Named is a published network of so many times its width, in whole heads. key
// names the config key that asks for it in errors.
func Named(key, name string, width float64) (Config, error) {
	c, ok := named[name]
	if !ok {
		return c, fmt.Errorf("%s = %q: allowed is a plain transformer, one of %s", key, name, strings.Join(Names(), ", "))
	}
	if width != 0 && width != 1 {
		ratio := c.Hidden / c.Width
		c.Heads = max(int(math.Round(float64(c.Heads)*width)), 1)
		c.Width, c.Hidden = c.Heads*headWidth, ratio*c.Heads*headWidth
	}
	return c, nil
}

// modules are what the names of a network's variables begin with.
var modules = []string{"cls_token", "pos_embed", "register_tokens", "patch_embed", "norm_pre", "norm", "blocks"}

// Module tells the state-dict name of a tensor among a network's variables.
func Module(tensor string) (name string, ok bool) {
	name = Rename(tensor)
	root, _, _ := strings.Cut(name, ".")
	return name, slices.Contains(modules, root)
}

// Layer is that of a variable by its path below the network's scope: 0 for what
// comes before the blocks, Depth for the last block and the norm behind it.
func (c Config) Layer(path string) int {
	var block int
	if n, _ := fmt.Sscanf(path, "blocks/%d/", &block); n == 1 {
		return block + 1
	}
	if strings.HasPrefix(path, "norm/") {
		return c.Depth
	}
	return 0
}
