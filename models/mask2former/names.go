package mask2former

import (
	"regexp"
	"strings"
	"sync"

	"wsss/configs"
	"wsss/models"
	"wsss/models/weights"
)

// wrapped are the names under which Meta's training saves a network.
var wrapped = regexp.MustCompile(`^(module\.|model\.|state_dict\.)+((backbone|sem_seg_head|criterion)\.)`)

// hugging are Hugging Face's names of modules, and Meta's.
var hugging = sync.OnceValue(func() []renaming {
	return []renaming{
		{regexp.MustCompile(`^pixel_level_module\.decoder\.level_embed$`), "pixel_decoder.transformer.level_embed"},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.input_projections\.`), "pixel_decoder.input_proj."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.encoder\.layers\.(\d+)\.self_attn_layer_norm\.`), "pixel_decoder.transformer.encoder.layers.$1.norm1."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.encoder\.layers\.(\d+)\.final_layer_norm\.`), "pixel_decoder.transformer.encoder.layers.$1.norm2."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.encoder\.layers\.(\d+)\.(?:mlp\.)?fc([12])\.`), "pixel_decoder.transformer.encoder.layers.$1.linear$2."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.encoder\.layers\.`), "pixel_decoder.transformer.encoder.layers."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.mask_projection\.`), "pixel_decoder.mask_features."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.(adapter|layer)_1\.0\.`), "pixel_decoder.${1}_1."},
		{regexp.MustCompile(`^pixel_level_module\.decoder\.(adapter|layer)_1\.1\.`), "pixel_decoder.${1}_1.norm."},
		{regexp.MustCompile(`^transformer_module\.queries_embedder\.`), "predictor.query_embed."},
		{regexp.MustCompile(`^transformer_module\.queries_features\.`), "predictor.query_feat."},
		{regexp.MustCompile(`^transformer_module\.level_embed\.`), "predictor.level_embed."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layernorm\.`), "predictor.decoder_norm."},
		{regexp.MustCompile(`^transformer_module\.decoder\.mask_predictor\.mask_embedder\.(\d+)\.0\.`), "predictor.mask_embed.layers.$1."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layers\.(\d+)\.self_attn\.`), "predictor.transformer_self_attention_layers.$1.self_attn."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layers\.(\d+)\.self_attn_layer_norm\.`), "predictor.transformer_self_attention_layers.$1.norm."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layers\.(\d+)\.cross_attn\.`), "predictor.transformer_cross_attention_layers.$1.multihead_attn."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layers\.(\d+)\.cross_attn_layer_norm\.`), "predictor.transformer_cross_attention_layers.$1.norm."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layers\.(\d+)\.(?:mlp\.)?fc([12])\.`), "predictor.transformer_ffn_layers.$1.linear$2."},
		{regexp.MustCompile(`^transformer_module\.decoder\.layers\.(\d+)\.final_layer_norm\.`), "predictor.transformer_ffn_layers.$1.norm."},
		{regexp.MustCompile(`^class_predictor\.`), "predictor.class_embed."},
	}
})

// renaming is a pattern of names, and what takes its place.
type renaming struct {
	pattern *regexp.Regexp
	name    string
}

// Rename is models.WeightReader's. It knows Meta's names, Hugging Face's, and
// those of the backbone's own files.
func (n *network) Rename(tensor string) string {
	tensor = wrapped.ReplaceAllString(tensor, "$2")
	if strings.HasSuffix(tensor, "criterion.empty_weight") || strings.HasSuffix(tensor, ".num_batches_tracked") {
		return ""
	}
	if b, ok := n.backbone.(interface{ Buffer(tensor string) bool }); ok && b.Buffer(tensor) {
		return ""
	}
	if rest, ok := strings.CutPrefix(tensor, headScope+"."+predictorScope+".static_query."); ok { // Meta's before version 2
		return headScope + "." + predictorScope + ".query_feat." + rest
	}
	name := strings.TrimPrefix(tensor, "model.")
	for _, h := range hugging() {
		if h.pattern.MatchString(name) {
			return headScope + "." + h.pattern.ReplaceAllString(name, h.name)
		}
	}
	if strings.HasPrefix(tensor, headScope+".") {
		return tensor
	}
	return models.RenameTensor(n.backbone, tensor)
}

// separate are the parts of Hugging Face's self-attention of queries.
var separate = regexp.MustCompile(`^(.*transformer_module\.decoder\.layers\.\d+\.self_attn\.)([qkv])_proj\.(weight|bias)$`)

// Adapt is models.WeightAdapter's: queries, keys and values that lie apart are
// joined.
func (n *network) Adapt(src weights.Source) weights.Source {
	return weights.Joined(models.Adapt(n.backbone, src), func(tensor string) (weights.Part, bool) {
		m := separate.FindStringSubmatch(tensor)
		if m == nil {
			return weights.Part{}, false
		}
		return weights.Part{Whole: m[1] + "in_proj_" + m[3], At: strings.Index("qkv", m[2]), Of: 3}, true
	})
}

// CheckWeights is models.WeightReader's.
func (n *network) CheckWeights(m weights.Mapping, t configs.Train) error {
	return n.backbone.CheckWeights(m, t)
}
