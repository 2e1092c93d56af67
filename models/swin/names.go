package swin

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"wsss/configs"
	"wsss/models/weights"
)

var (
	// Names of a Swin within another network's, and of networks of features.
	within = regexp.MustCompile(`^(backbone\.|swin\.|model\.pixel_level_module\.encoder\.|pixel_level_module\.encoder\.)+`)
	own    = regexp.MustCompile(`^(patch_embed\.(proj|norm)|layers\.[0-3]\.(blocks\.[0-9]+\.(norm[12]|attn\.(qkv|proj)|mlp\.fc[12])|downsample\.(norm|reduction))|norm[0-3])\.(weight|bias)$|^layers\.[0-3]\.blocks\.[0-9]+\.attn\.relative_position_bias_table$`)
	buffer = regexp.MustCompile(`\.(relative_position_index|attn_mask)$`)
	output = regexp.MustCompile(`^hidden_states_norms\.stage([1-4])\.`)
	flat   = regexp.MustCompile(`^layers_([0-3])\.`)
)

// hugging are the names of Hugging Face's modules, of both layouts that its
// files have, and Microsoft's.
var hugging = strings.NewReplacer(
	"embeddings.patch_embeddings.projection.", "patch_embed.proj.", "embeddings.norm.", "patch_embed.norm.",
	"encoder.layers.", "layers.", ".layernorm_before.", ".norm1.", ".layernorm_after.", ".norm2.",
	".attention.self.relative_position_bias_table", ".attn.relative_position_bias_table",
	".attention.relative_position_bias.relative_position_bias_table", ".attn.relative_position_bias_table",
	".attention.self.relative_position_index", ".attn.relative_position_index",
	".attention.self.qkv.", ".attn.qkv.", ".attention.qkv.", ".attn.qkv.",
	".attention.output.dense.", ".attn.proj.", ".attention.o_proj.", ".attn.proj.",
	".intermediate.dense.", ".mlp.fc1.", ".output.dense.", ".mlp.fc2.",
)

// Rename is models.Backbone's. It knows the names of Microsoft's Swin, of
// Mask2Former's, of timm's and of Hugging Face's, whose queries, keys and values
// Adapt has joined.
func (Config) Rename(tensor string) (name string, ok bool) {
	name = within.ReplaceAllString(tensor, "")
	if buffer.MatchString(name) {
		return "", false
	}
	name = flat.ReplaceAllString(hugging.Replace(name), "layers.$1.")
	if m := output.FindStringSubmatch(name); m != nil {
		stage, _ := strconv.Atoi(m[1])
		name = fmt.Sprintf("norm%d.%s", stage-1, name[len(m[0]):])
	}
	if own.MatchString(name) {
		return name, true
	}
	return tensor, false
}

// Buffer tells tensors that are no weights but tables that follow from the layout.
func (Config) Buffer(tensor string) bool { return buffer.MatchString(tensor) }

// separate are the parts of Hugging Face's attention.
var separate = regexp.MustCompile(`^(.*layers\.[0-3]\.blocks\.[0-9]+\.attention\.)(?:self\.(query|key|value)|([qkv])_proj)\.(weight|bias)$`)

// Adapt is models.WeightAdapter's: queries, keys and values that lie apart are
// joined, and where a stage begins with the merging of patches, as in timm's
// files, it is taken for the end of the stage before.
func (Config) Adapt(src weights.Source) weights.Source {
	for _, name := range src.Names() {
		if m := late.FindStringSubmatch(name); m != nil && m[2] == "3" {
			src = weights.Renamed(src, earlier)
			break
		}
	}
	return weights.Joined(src, func(tensor string) (weights.Part, bool) {
		m := separate.FindStringSubmatch(tensor)
		if m == nil {
			return weights.Part{}, false
		}
		at := strings.Index("qkv", m[3]+m[2][:min(len(m[2]), 1)])
		return weights.Part{Whole: m[1] + "qkv." + m[4], At: at, Of: 3}, true
	})
}

// late are the tensors of timm's merging of patches.
var late = regexp.MustCompile(`^(.*layers[._])([1-3])(\.downsample\..*)$`)

// earlier is the name of a tensor of timm's with the merging of patches one stage
// earlier.
func earlier(name string) string {
	p := late.FindStringSubmatch(name)
	if p == nil {
		return name
	}
	stage, _ := strconv.Atoi(p[2])
	return fmt.Sprintf("%s%d%s", p[1], stage-1, p[3])
}

// CheckWeights is models.Backbone's.
func (c Config) CheckWeights(m weights.Mapping, t configs.Train) error {
	if t.Input == "caffe" {
		return fmt.Errorf("weights of Swin are for train.network.input = \"torch\", not %q", t.Input)
	}
	return nil
}

// IsNorm is models.Backbone's: there is no batch normalisation.
func (Config) IsNorm(string) bool { return false }

// NormFree is models.NormFree's.
func (Config) NormFree() bool { return true }

// Stage is models.Backbone's.
func (Config) Stage(path string) int {
	for _, prefix := range []string{"layers/", "norm"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && rest != "" && rest[0] >= '0' && rest[0] <= '3' {
			return int(rest[0]-'0') + 1
		}
	}
	return 0
}
