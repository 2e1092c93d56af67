package official

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute/dtypes"

	"wsss/models/weights"
	"wsss/models/weights/pth"
)

// Marks of Grounding-DINO's weights: the authors' names, and those of
// transformers, which MM-Grounding-DINO and LLMDet have, too.
const (
	gdinoAuthors = "transformer.level_embed"
	gdinoHugging = "model.level_embed"
)

// fromHugging turns names of transformers into the authors', in this order; those
// of query, key and value are joined later.
var fromHugging = sync.OnceValue(func() []renaming {
	return []renaming{
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.(?:swin\.)?embeddings\.patch_embeddings\.projection\.`), "backbone.0.patch_embed.proj."},
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.(?:swin\.)?embeddings\.norm\.`), "backbone.0.patch_embed.norm."},
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.(?:swin\.)?encoder\.layers\.`), "backbone.0.layers."},
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.hidden_states_norms\.stage1\.`), "backbone.0.norm0."},
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.hidden_states_norms\.stage2\.`), "backbone.0.norm1."},
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.hidden_states_norms\.stage3\.`), "backbone.0.norm2."},
		{regexp.MustCompile(`^model\.backbone\.conv_encoder\.model\.hidden_states_norms\.stage4\.`), "backbone.0.norm3."},
		{regexp.MustCompile(`^(backbone\..*)\.layernorm_before\.`), "$1.norm1."}, {regexp.MustCompile(`^(backbone\..*)\.layernorm_after\.`), "$1.norm2."},
		{regexp.MustCompile(`^(backbone\..*)\.attention\.self\.`), "$1.attn."}, {regexp.MustCompile(`^(backbone\..*)\.attention\.output\.dense\.`), "$1.attn.proj."},
		{regexp.MustCompile(`^(backbone\..*)\.intermediate\.dense\.`), "$1.mlp.fc1."}, {regexp.MustCompile(`^(backbone\..*\.blocks\.\d+)\.output\.dense\.`), "$1.mlp.fc2."},
		{regexp.MustCompile(`^model\.input_proj_vision\.`), "input_proj."}, {regexp.MustCompile(`^model\.text_backbone\.`), "bert."},
		{regexp.MustCompile(`^model\.text_projection\.`), "feat_map."}, {regexp.MustCompile(`^model\.query_position_embeddings\.`), "transformer.tgt_embed."},
		{regexp.MustCompile(`^model\.level_embed`), gdinoAuthors}, {regexp.MustCompile(`^model\.(enc_output|enc_output_norm)\.`), "transformer.$1."},
		{regexp.MustCompile(`^model\.encoder_output_(bbox|class)_embed\.`), "transformer.enc_out_${1}_embed."},
		{regexp.MustCompile(`^model\.encoder\.layers\.(\d+)\.text_enhancer_layer\.`), "transformer.encoder.text_layers.$1."},
		{regexp.MustCompile(`^model\.encoder\.layers\.(\d+)\.fusion_layer\.`), "transformer.encoder.fusion_layers.$1."},
		{regexp.MustCompile(`^model\.encoder\.layers\.(\d+)\.deformable_layer\.`), "transformer.encoder.layers.$1."},
		{regexp.MustCompile(`(\.text_layers\..*)\.layer_norm_before\.`), "$1.norm1."}, {regexp.MustCompile(`(\.text_layers\..*)\.layer_norm_after\.`), "$1.norm2."},
		{regexp.MustCompile(`(\.fusion_layers\..*)\.layer_norm_vision\.`), "$1.layer_norm_v."}, {regexp.MustCompile(`(\.fusion_layers\..*)\.layer_norm_text\.`), "$1.layer_norm_l."},
		{regexp.MustCompile(`(\.fusion_layers\..*)\.vision_param`), "$1.gamma_v"}, {regexp.MustCompile(`(\.fusion_layers\..*)\.text_param`), "$1.gamma_l"},
		{regexp.MustCompile(`(\.fusion_layers\..*\.attn\..*)vision_proj`), "${1}v_proj"}, {regexp.MustCompile(`(\.fusion_layers\..*\.attn\..*)text_proj`), "${1}l_proj"},
		{regexp.MustCompile(`(\.encoder\.layers\..*)\.self_attn_layer_norm\.`), "$1.norm1."}, {regexp.MustCompile(`(\.encoder\.layers\..*)\.final_layer_norm\.`), "$1.norm2."},
		{regexp.MustCompile(`^model\.decoder\.layer_norm\.`), "transformer.decoder.norm."},
		{regexp.MustCompile(`^model\.decoder\.reference_points_head\.`), "transformer.decoder.ref_point_head."}, {regexp.MustCompile(`^model\.decoder\.`), "transformer.decoder."},
		{regexp.MustCompile(`(\.decoder\.layers\..*)\.self_attn_layer_norm\.`), "$1.norm2."}, {regexp.MustCompile(`(\.decoder\.layers\..*)\.encoder_attn_layer_norm\.`), "$1.norm1."},
		{regexp.MustCompile(`(\.decoder\.layers\..*)\.encoder_attn_text_layer_norm\.`), "$1.catext_norm."}, {regexp.MustCompile(`(\.decoder\.layers\..*)\.final_layer_norm\.`), "$1.norm3."},
		{regexp.MustCompile(`(\.decoder\.layers\..*)\.encoder_attn_text\.`), "$1.ca_text."}, {regexp.MustCompile(`(\.decoder\.layers\..*)\.encoder_attn\.`), "$1.cross_attn."},
		{regexp.MustCompile(`^(transformer\..*)\.fc([12])\.`), "$1.linear$2."},
	}
})

// renaming is a pattern of names, and what takes its place.
type renaming struct {
	from *regexp.Regexp
	to   string
}

// gdinoPart finds the kernels of an attention, by the authors' names.
var gdinoPart = regexp.MustCompile(`^((backbone|transformer)\..*\.)(query|key|value)\.(weight|bias)$`)

func joinGDINO(name string) (weights.Part, bool) {
	m := gdinoPart.FindStringSubmatch(name)
	if m == nil {
		return weights.Part{}, false
	}
	whole := m[1] + "in_proj_" + m[4]
	if m[2] == "backbone" {
		whole = m[1] + "qkv." + m[4]
	}
	return weights.Part{Whole: whole, At: slices.Index([]string{"query", "key", "value"}, m[3]), Of: 3}, true
}

// huggingGDINO is a file of transformers by the authors' names.
func huggingGDINO(c *checkpoint) (*checkpoint, error) {
	stored := map[string]string{}
	var twice error
	file := weights.Renamed(c.storage, func(name string) string {
		own := strings.TrimPrefix(name, c.prefix)
		for _, r := range fromHugging() {
			own = r.from.ReplaceAllString(own, r.to)
		}
		if stored[own] != "" {
			twice = fmt.Errorf("%s: tensors %s and %s are both %s", c.file, stored[own], name, own)
		}
		stored[own] = name
		return own
	})
	if twice != nil {
		return nil, twice
	}
	out := &checkpoint{storage: joinedFile{weights.Joined(file, joinGDINO), c.storage, stored}, file: c.file, names: map[string]bool{}}
	for _, name := range out.Names() {
		out.names[name] = true
	}
	return out, nil
}

// joinedFile has tensors that the file keeps apart, too; these stand nowhere in one
// piece.
type joinedFile struct {
	weights.Source
	file   storage
	stored map[string]string // what each is called in the file
}

func (j joinedFile) Place(name string) (pth.Place, bool, error) {
	if stored := j.stored[name]; stored != "" {
		return j.file.Place(stored)
	}
	return pth.Place{DType: dtypes.Float32}, false, nil
}
