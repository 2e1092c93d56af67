package nets_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"wsss/configs"
	_ "wsss/models/nets"
	"wsss/models/pretrained"
)

// listed is a weight file of names and shapes alone.
type listed map[string][]int

func (l listed) Names() []string                      { return slices.Sorted(maps.Keys(l)) }
func (l listed) Shape(name string) ([]int, error)     { return l[name], nil }
func (listed) Tensor(string) (*tensors.Tensor, error) { return nil, fmt.Errorf("no values") }
func (listed) Close() error                           { return nil }

// published are the files whose names and shapes testdata/names.json.gz holds, by
// the names of names.py, and the networks that they start. unused are the tensors that
// such a network has no use for.
var published = []struct{ file, arch, backbone, unused string }{
	{"hugging-mask2former:t", "mask2former", "swin_t", `encoder\.swin\.layernorm\.`}, {"hugging-mask2former:s", "mask2former", "swin_s", `encoder\.swin\.layernorm\.`},
	{"hugging-mask2former:b", "mask2former", "swin_b", `encoder\.swin\.layernorm\.`}, {"hugging-mask2former:l", "mask2former", "swin_l", `encoder\.swin\.layernorm\.`},
	{"hugging-mask2former:50", "mask2former", "resnet50", ``}, {"hugging-mask2former:101", "mask2former", "resnet101", ``},
	{"meta:t", "mask2former", "swin_t", ``}, {"meta:s", "mask2former", "swin_s", ``}, {"meta:b", "mask2former", "swin_b", ``}, {"meta:l", "mask2former", "swin_l", ``},
	{"meta:50", "mask2former", "resnet50", ``}, {"meta:101", "mask2former", "resnet101", ``},
	{"microsoft:t_7_224_1000", "mask2former", "swin_t", swinHead}, {"microsoft:s_7_224_1000", "mask2former", "swin_s", swinHead},
	{"microsoft:b_12_384_21841", "mask2former", "swin_b", swinHead}, {"microsoft:b_7_224_1000", "mask2former", "swin_b_w7", swinHead},
	{"microsoft:l_12_384_21841", "mask2former", "swin_l", swinHead}, {"microsoft:l_7_224_21841", "mask2former", "swin_l_w7", swinHead},
	{"openai:b16", "vit-linear", "clip-b16", openAIRest}, {"openai:l14", "vit-linear", "clip-l14", openAIRest}, {"openai:l14-336", "vit-mask", "clip-l14", openAIRest},
	{"timm:swin_tiny_patch4_window7_224", "mask2former", "swin_t", `^(norm|head\.fc)\.`}, {"timm:swin_small_patch4_window7_224", "mask2former", "swin_s", `^(norm|head\.fc)\.`},
	{"timm:swin_base_patch4_window7_224", "mask2former", "swin_b_w7", `^(norm|head\.fc)\.`}, {"timm:swin_base_patch4_window12_384", "mask2former", "swin_b", `^(norm|head\.fc)\.`},
	{"timm:swin_large_patch4_window7_224", "mask2former", "swin_l_w7", `^(norm|head\.fc)\.`}, {"timm:swin_large_patch4_window12_384", "mask2former", "swin_l", `^(norm|head\.fc)\.`},
	{"timm:vit_tiny_patch16_224", "vit-linear", "vit-t16", `^head\.`}, {"timm:vit_small_patch16_224", "vit-linear", "vit-s16", `^head\.`},
	{"timm:vit_base_patch16_224", "vit-linear", "vit-b16", `^head\.`}, {"timm:vit_large_patch16_224", "vit-mask", "vit-l16", `^head\.`},
	{"timm:vit_small_patch14_dinov2", "vit-linear", "dinov2-s14", ``}, {"timm:vit_base_patch14_dinov2", "vit-linear", "dinov2-b14", ``},
	{"timm:vit_small_patch14_reg4_dinov2", "vit-linear", "dinov2-s14-reg", ``}, {"timm:vit_large_patch14_reg4_dinov2", "vit-mask", "dinov2-l14-reg", ``},
	{"hugging-dinov2:s", "vit-linear", "dinov2-s14", `mask_token$`}, {"hugging-dinov2:b", "vit-mask", "dinov2-b14", `mask_token$`}, {"hugging-dinov2:l", "vit-linear", "dinov2-l14", `mask_token$`},
	{"hugging-dinov2:s-reg", "vit-linear", "dinov2-s14-reg", `mask_token$`}, {"hugging-dinov2:b-reg", "vit-linear", "dinov2-b14-reg", `mask_token$`}, {"hugging-dinov2:l-reg", "vit-mask", "dinov2-l14-reg", `mask_token$`},
	{"timm:tf_efficientnet_lite0", "deeplab-v3plus", "efficientnet-lite0", efficientHead}, {"timm:tf_efficientnet_lite1", "deeplab-v3plus", "efficientnet-lite1", efficientHead},
	{"timm:tf_efficientnet_lite2", "deeplab-v3plus", "efficientnet-lite2", efficientHead}, {"timm:tf_efficientnet_lite3", "deeplab-v3plus", "efficientnet-lite3", efficientHead},
	{"timm:tf_efficientnet_lite4", "deeplab-v3plus", "efficientnet-lite4", efficientHead},
	{"torchvision:resnet18", "deeplab-v3plus", "resnet18", `^fc\.`}, {"torchvision:resnet34", "deeplab-v3plus", "resnet34", `^fc\.`},
	{"torchvision:resnet50", "deeplab-v2", "resnet50", `^fc\.`}, {"torchvision:resnet101", "deeplab-v2", "resnet101", `^fc\.`},
}

// What a network that segments has no use for: EfficientNet's and Swin's classifiers, and
// CLIP's tower of texts, the joint space, and sizes.
const (
	efficientHead = `^_(conv_head|bn1|fc)\.`
	swinHead      = `^model\.(norm|head)\.`
	openAIRest    = `^(transformer\.resblocks\.|token_embedding\.|positional_embedding$|ln_final\.|text_projection$|logit_scale$|visual\.proj$|(input_resolution|context_length|vocab_size)$)`
)

// quick are the files of small networks, which every run of the tests looks at.
var quick = []string{"meta:50", "microsoft:t_7_224_1000", "openai:b16", "timm:vit_small_patch16_224", "hugging-dinov2:s-reg", "timm:tf_efficientnet_lite0", "torchvision:resnet18"}

// TestPublished: every tensor of a published network, at full size, has its place in
// ours and the shape that it has there, and every variable of the backbone, of whole
// networks every variable, is filled.
func TestPublished(t *testing.T) {
	files := names(t)
	for _, p := range published {
		if os.Getenv("WSSS_VERIFY") != "1" && !slices.Contains(quick, p.file) {
			continue
		}
		t.Run(p.file, func(t *testing.T) {
			c := configs.Default().Train
			c.Arch, c.Backbone, c.MSC, c.OutputStride, c.StrideIn, c.Input, c.BatchNorm = p.arch, p.backbone, false, 16, "3x3", "torch", "train"
			whole := strings.HasPrefix(p.file, "meta") || strings.HasPrefix(p.file, "hugging-mask2former")
			if p.arch == "mask2former" {
				c.OutputStride = 32
			}
			if strings.HasPrefix(p.backbone, "efficientnet") {
				c.Input = "tf"
			}
			file := files[p.file]
			if len(file) < 40 {
				t.Fatalf("%d names", len(file))
			}
			m, err := pretrained.Describe(c, 150, file)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range m.Differ {
				if !whole && !strings.HasPrefix(d.Variable, "backbone.") {
					continue // the head for other classes
				}
				t.Errorf("%s has shape %v, %s %v", d.Tensor, d.Shape, d.Variable, d.Want)
			}
			for _, name := range m.Missing {
				norm := p.arch == "mask2former" && !whole && regexp.MustCompile(`^backbone\.norm[0-3]\.`).MatchString(name)
				if whole || strings.HasPrefix(name, "backbone.") && !norm {
					t.Errorf("%s is missing", name)
				}
			}
			for _, name := range m.Unused {
				if p.unused == "" || !regexp.MustCompile(p.unused).MatchString(name) {
					t.Errorf("%s has no use", name)
				}
			}
		})
	}
}

// TestAnotherBackbone: a file that fills a backbone with a part of another, deeper or
// with registers, is refused, and its own is named where it can be told.
func TestAnotherBackbone(t *testing.T) {
	files := names(t)
	for _, c := range []struct{ file, arch, backbone, want string }{
		{"torchvision:resnet34", "deeplab-v3plus", "resnet18", `it is of train.network.backbone = "resnet34"`},
		{"torchvision:resnet101", "deeplab-v2", "resnet50", `it is of train.network.backbone = "resnet101"`},
		{"microsoft:s_7_224_1000", "mask2former", "swin_t", "layers.2.blocks.10.attn.proj.bias"},
		{"hugging-mask2former:s", "mask2former", "swin_t", "it is of another train.network.backbone"},
		{"meta:101", "mask2former", "resnet50", "it is of another train.network.backbone"},
		{"timm:vit_small_patch14_reg4_dinov2", "vit-linear", "dinov2-s14", "1 tensor of a backbone that this network lacks: reg_token"},
		{"hugging-dinov2:s-reg", "vit-linear", "dinov2-s14", "register_tokens"},
	} {
		t.Run(c.file+" as "+c.backbone, func(t *testing.T) {
			cfg := configs.Default().Train
			cfg.Arch, cfg.Backbone, cfg.MSC, cfg.OutputStride, cfg.StrideIn, cfg.Input, cfg.BatchNorm = c.arch, c.backbone, false, 16, "3x3", "torch", "train"
			if c.arch == "mask2former" {
				cfg.OutputStride = 32
			}
			_, err := pretrained.Describe(cfg, 21, files[c.file])
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func names(t *testing.T) map[string]listed {
	t.Helper()
	f, err := os.Open("testdata/names.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var files map[string]listed
	if err := json.NewDecoder(z).Decode(&files); err != nil {
		t.Fatal(err)
	}
	return files
}
