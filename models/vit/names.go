package vit

import (
	"regexp"
	"strings"

	"wsss/models/weights"
)

// wrappers precede the names of a network that was saved as part of another.
var wrappers = regexp.MustCompile(`^(state_dict\.|module\.|model\.|teacher\.|student\.|backbone\.|encoder\.backbone\.|vit\.|owlv2\.|dinov2\.|dinov2_with_registers\.|vision_model\.|visual\.|trunk\.)+`)

// block is a block of the transformer; dinov2's training code keeps them in
// chunks, each counted through.
var block = regexp.MustCompile(`^(?:encoder\.layers?|layers|transformer\.resblocks|blocks\.[0-9]{1,3}|blocks)\.([0-9]{1,3})\.(.+)$`)

// openAI are names that the text tower has, too, of OpenAI's CLIP; the image
// tower's have a prefix.
var openAI = regexp.MustCompile(`^(positional_embedding$|transformer\.resblocks\.)`)

// Names outside of blocks, and of modules within one, of Hugging Face's DINOv2,
// ViT and CLIP, of OpenAI's CLIP and of timm.
var (
	outer = map[string]string{
		"embeddings.cls_token": "cls_token", "embeddings.class_embedding": "cls_token", "class_embedding": "cls_token",
		"embeddings.position_embeddings": "pos_embed", "embeddings.position_embedding.weight": "pos_embed", "positional_embedding": "pos_embed",
		"embeddings.register_tokens": "register_tokens", "reg_token": "register_tokens",
		"embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight", "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
		"embeddings.patch_embedding.weight": "patch_embed.proj.weight", "conv1.weight": "patch_embed.proj.weight",
		"layernorm.weight": "norm.weight", "layernorm.bias": "norm.bias", "post_layernorm.weight": "norm.weight", "post_layernorm.bias": "norm.bias",
		"ln_post.weight": "norm.weight", "ln_post.bias": "norm.bias", "pre_layrnorm.weight": "norm_pre.weight", "pre_layrnorm.bias": "norm_pre.bias",
		"pre_layernorm.weight": "norm_pre.weight", "pre_layernorm.bias": "norm_pre.bias",
		"ln_pre.weight": "norm_pre.weight", "ln_pre.bias": "norm_pre.bias",
	}
	inner = map[string]string{
		"attention.attention." + together: "attn.qkv", "attention." + together: "attn.qkv", "self_attn." + together: "attn.qkv",
		"attention.output.dense": "attn.proj", "attention.o_proj": "attn.proj", "self_attn.out_proj": "attn.proj", "attn.out_proj": "attn.proj",
		"layer_norm1": "norm1", "layernorm_before": "norm1", "ln_1": "norm1", "layer_norm2": "norm2", "layernorm_after": "norm2", "ln_2": "norm2",
		"intermediate.dense": "mlp.fc1", "output.dense": "mlp.fc2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
	}
)

// together stands for the three parts of an attention's kernel in the name of
// what is joined of them.
const together = "{query,key,value}"

var apart = regexp.MustCompile(`^(.*\.(?:self_attn|attention)\.)(query|key|value|q_proj|k_proj|v_proj)(\.(?:weight|bias))$`)

// part finds the kernels of query, key and value that a file keeps apart.
func part(tensor string) (weights.Part, bool) {
	m := apart.FindStringSubmatch(tensor)
	if m == nil {
		return weights.Part{}, false
	}
	return weights.Part{Whole: m[1] + together + m[3], At: strings.IndexByte("qkv", m[2][0]), Of: 3}, true
}

// Rename turns a tensor's name of a file, as Open gives it, into a variable's
// state-dict name. Names that it does not know stay; none is of a variable.
func Rename(tensor string) string {
	name := wrappers.ReplaceAllString(tensor, "")
	if openAI.MatchString(name) && !strings.Contains(tensor, "visual.") {
		return tensor
	}
	if to, ok := outer[name]; ok {
		return to
	}
	m := block.FindStringSubmatch(name)
	if m == nil {
		return name
	}
	rest := m[2]
	switch rest {
	case "attn.in_proj_weight":
		rest = "attn.qkv.weight"
	case "attn.in_proj_bias":
		rest = "attn.qkv.bias"
	case "layer_scale1.lambda1":
		rest = "ls1.gamma"
	case "layer_scale2.lambda1":
		rest = "ls2.gamma"
	}
	if module, leaf := rest[:max(strings.LastIndexByte(rest, '.'), 0)], rest[strings.LastIndexByte(rest, '.')+1:]; inner[module] != "" {
		rest = inner[module] + "." + leaf
	}
	return "blocks." + m[1] + "." + rest
}
