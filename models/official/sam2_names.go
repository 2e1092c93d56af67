package official

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// NotNeeded is the note in a graph that names the parts of a checkpoint which no
// photo needs.
const NotNeeded = "not needed"

// Marks of SAM 2's checkpoints: Meta's names, and those of Hugging Face's modules.
const (
	sam2Meta    = "image_encoder.trunk.pos_embed"
	sam2Hugging = "vision_encoder.backbone.pos_embed"
)

// sam2Names lets a graph be written by Meta's names of the image encoder of SAM 2,
// and by those of the first SAM's prompt encoder and mask decoder, which SAM 2 has
// under other prefixes.
func (n *net) sam2Names() {
	c := n.from[0]
	if c.has(sam2Hugging) {
		c.rename = huggingSAM2
	} else {
		c.rename = metaSAM2
	}
	if list := notForPhotos(c); list != "" {
		n.notes[NotNeeded] = list
	}
}

func metaSAM2(name string, _ func(string) bool) string {
	for _, part := range []string{decoderFor, promptFor} {
		if strings.HasPrefix(name, part+".") {
			name = "sam_" + name
		}
	}
	return metaMLP.Replace(name)
}

var metaMLP = strings.NewReplacer(".mlp.lin1.", ".mlp.layers.0.", ".mlp.lin2.", ".mlp.layers.1.")

var toHugging = strings.NewReplacer(
	"image_encoder.trunk.patch_embed.proj.", "vision_encoder.backbone.patch_embed.projection.",
	"image_encoder.trunk.", "vision_encoder.backbone.", "image_encoder.neck.", "vision_encoder.neck.",
	".conv.", ".", ".norm1.", ".layer_norm1.", ".norm2.", ".layer_norm2.", ".norm3.", ".layer_norm3.", ".norm4.", ".layer_norm4.",
	".norm_final_attn.", ".layer_norm_final_attn.", ".out_proj.", ".o_proj.",
	".mlp.lin1.", ".mlp.proj_in.", ".mlp.lin2.", ".mlp.proj_out.", ".mlp.layers.0.", ".mlp.proj_in.", ".mlp.layers.1.", ".mlp.proj_out.",
	".output_upscaling.0.", ".upscale_conv1.", ".output_upscaling.1.", ".upscale_layer_norm.", ".output_upscaling.3.", ".upscale_conv2.",
	".mask_downscaling.0.", ".mask_embed.conv1.", ".mask_downscaling.1.", ".mask_embed.layer_norm1.", ".mask_downscaling.3.", ".mask_embed.conv2.",
	".mask_downscaling.4.", ".mask_embed.layer_norm2.", ".mask_downscaling.6.", ".mask_embed.conv3.",
	gaussian, "prompt_encoder.shared_embedding.positional_embedding",
	"no_mem_embed", "no_memory_embedding",
)

// sharedGaussian is Hugging Face's copy of the matrix for the image's cells, and in
// some files the only one.
const sharedGaussian = "shared_image_embedding.positional_embedding"

// perceptron are the layers of a head of the decoder.
var perceptron = regexp.MustCompile(`^(mask_decoder\.(?:iou_prediction_head|pred_obj_score_head|output_hypernetworks_mlps\.[0-9]+)\.)layers\.([0-9]+)(\.(?:weight|bias))$`)

func huggingSAM2(name string, has func(string) bool) string {
	if name == gaussian && !has(toHugging.Replace(name)) {
		return sharedGaussian
	}
	m := perceptron.FindStringSubmatch(name)
	if m == nil {
		return toHugging.Replace(name)
	}
	layer := func(i int) string { return fmt.Sprintf("%slayers.%d%s", m[1], i, m[3]) }
	at, _ := strconv.Atoi(m[2])
	switch { // those between the first and the last are counted from 0
	case at == 0:
		return m[1] + "proj_in" + m[3]
	case !has(layer(at-1)) && (at == 1 || has(layer(at-2))):
		return m[1] + "proj_out" + m[3]
	}
	return layer(at - 1)
}

// forPhotos are the modules that masks of single images come from.
var forPhotos = []string{"image_encoder", "sam_prompt_encoder", "sam_mask_decoder", "no_mem_embed", "vision_encoder", "prompt_encoder", "mask_decoder", "shared_image_embedding", "no_memory_embedding"}

// notForPhotos lists the modules of a checkpoint that only videos need.
func notForPhotos(c *checkpoint) string {
	others := map[string]bool{}
	for name := range c.names {
		own, ok := strings.CutPrefix(name, c.prefix)
		module, _, _ := strings.Cut(own, ".")
		if ok && !slices.Contains(forPhotos, module) {
			others[module] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(others)), ", ")
}
