package mask2former

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	"wsss/models"
	"wsss/models/pretrained"
	"wsss/models/swin"
	"wsss/models/weights/weightstest"
)

// TestRename: names of Meta's, Hugging Face's and Detectron2's files.
func TestRename(t *testing.T) {
	onSwin, onResNet := smallNet(t, "swin"), smallNet(t, "resnet")
	const pixel, predictor = "sem_seg_head.pixel_decoder.", "sem_seg_head.predictor."
	for tensor, want := range map[string]string{
		"model.backbone.layers.2.blocks.17.attn.qkv.bias":                                   "backbone.layers.2.blocks.17.attn.qkv.bias",
		"backbone.layers.0.blocks.0.attn.relative_position_index":                           "",
		"backbone.norm3.weight":                                                             "backbone.norm3.weight",
		"model.sem_seg_head.predictor.static_query.weight":                                  predictor + "query_feat.weight",
		"sem_seg_head.pixel_decoder.transformer.encoder.layers.5.self_attn.value_proj.bias": pixel + "transformer.encoder.layers.5.self_attn.value_proj.bias",
		"criterion.empty_weight":                                                            "",
		"model.pixel_level_module.encoder.hidden_states_norms.stage2.weight":                "backbone.norm1.weight",
		"model.pixel_level_module.encoder.encoder.layers.3.blocks.1.output.dense.weight":    "backbone.layers.3.blocks.1.mlp.fc2.weight",
		"model.pixel_level_module.decoder.adapter_1.1.bias":                                 pixel + "adapter_1.norm.bias",
		"model.transformer_module.decoder.layers.8.cross_attn.in_proj_weight":               predictor + "transformer_cross_attention_layers.8.multihead_attn.in_proj_weight",
		"model.transformer_module.decoder.mask_predictor.mask_embedder.2.0.bias":            predictor + "mask_embed.layers.2.bias",
		"class_predictor.weight":                                                            predictor + "class_embed.weight",
		"optimizer.lr":                                                                      "optimizer.lr",
	} {
		if got := onSwin.Rename(tensor); got != want {
			t.Errorf("%s is %q, want %q", tensor, got, want)
		}
	}
	for tensor, want := range map[string]string{
		"model.backbone.stem.conv1.norm.running_var": "backbone.bn1.running_var",
		"backbone.stem.conv1.weight":                 "backbone.conv1.weight",
		"backbone.res2.0.shortcut.norm.weight":       "backbone.layer1.0.downsample.1.weight",
		"backbone.res5.2.conv3.weight":               "backbone.layer4.2.conv3.weight",
		"backbone.res4.5.conv1.norm.bias":            "backbone.layer3.5.bn1.bias",
		"layer3.5.bn1.num_batches_tracked":           "",
		"model.pixel_level_module.encoder.encoder.stages.2.layers.0.shortcut.convolution.weight": "backbone.layer3.0.downsample.0.weight",
		"model.pixel_level_module.encoder.embedder.embedder.normalization.running_mean":          "backbone.bn1.running_mean",
	} {
		if got := onResNet.Rename(tensor); got != want {
			t.Errorf("%s is %q, want %q", tensor, got, want)
		}
	}
}

// TestMetaPickle: a checkpoint as Meta publishes them fills the network, to the last
// tensor: every value of one is its place in the file.
func TestMetaPickle(t *testing.T) {
	options := Options{Queries: 3, Layers: 1, EncoderLayers: 1, Channels: 32, Heads: 4, FeedForward: 12, EncoderFeedForward: 8, DropPath: -1}
	n := &network{Options: options.Or(Published()), classes: classes,
		backbone: swin.Config{Embed: 4, Depths: [4]int{1, 1, 1, 1}, Heads: [4]int{1, 2, 2, 4}, Window: 3}}
	store := variables(t, n)
	m, err := pretrained.Load(store.RootScope(), n.Adapt(weightstest.Open(t, "testdata/meta.pkl")), n.Rename)
	if err != nil || len(m.Missing)+len(m.Unused)+len(m.Differ) > 0 {
		t.Fatalf("%s (%v)", m, err)
	}
	values := map[float32]bool{}
	for _, p := range m.Pairs {
		v := store.GetVariable("/" + strings.ReplaceAll(p.Variable, ".", "/"))
		if v == nil {
			t.Fatalf("no variable %s", p.Variable)
		}
		flat := tensors.MustCopyFlatData[float32](v.MustValue())
		if slices.Max(flat) != slices.Min(flat) || values[flat[0]] {
			t.Errorf("%s holds %g to %g, which another has, too", p.Variable, slices.Min(flat), slices.Max(flat))
		}
		values[flat[0]] = true
	}
	if len(values) < 120 {
		t.Errorf("%d tensors", len(values))
	}
}

// TestPublishedSizes: the network of a bare config is the paper's.
func TestPublishedSizes(t *testing.T) {
	c := configs.Default().Train
	c.Arch, c.Backbone, c.OutputStride, c.MSC, c.Width, c.StrideIn = Arch, "swin_l", 32, false, 1, "3x3"
	net, err := models.NewSegmenter(c, 21)
	if err != nil {
		t.Fatal(err)
	}
	n := net.(*network)
	if b := n.backbone.(swin.Config); b.Embed != 192 || b.Window != 12 || b.Depths[2] != 18 || b.DropPath != 0.3 || n.Queries != 100 || n.Options.Layers != 9 || n.EncoderLayers != 6 || n.Points != 12544 {
		t.Errorf("%+v on %+v", n.Options, b)
	}
}
