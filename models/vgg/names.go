package vgg

import (
	"fmt"
	"regexp"
	"strings"

	"wsss/configs"
	"wsss/models/weights"
)

var (
	ownName   = regexp.MustCompile(`^(conv[1-5]_[1-3]|fc[67])\.(weight|bias)$`)
	torchName = regexp.MustCompile(`^(features\.[0-9]{1,2}|classifier\.[03]|pre_logits\.fc[12])\.(weight|bias)$`)
)

// torchModules maps torchvision's modules, and timm's, to Caffe's.
var torchModules = map[string]string{
	"features.0": "conv1_1", "features.2": "conv1_2", "features.5": "conv2_1", "features.7": "conv2_2",
	"features.10": "conv3_1", "features.12": "conv3_2", "features.14": "conv3_3",
	"features.17": "conv4_1", "features.19": "conv4_2", "features.21": "conv4_3",
	"features.24": "conv5_1", "features.26": "conv5_2", "features.28": "conv5_3",
	"classifier.0": "fc6", "classifier.3": "fc7", "pre_logits.fc1": "fc6", "pre_logits.fc2": "fc7",
}

// Rename is models.Backbone's. It knows Caffe's and psa's names (conv1_1.weight)
// and those of torchvision and timm (features.0.weight).
func (Config) Rename(tensor string) (name string, ok bool) {
	if m := torchName.FindStringSubmatch(tensor); m != nil && torchModules[m[1]] != "" {
		return torchModules[m[1]] + "." + m[2], true
	}
	return tensor, ownName.MatchString(tensor)
}

// CheckWeights is models.Backbone's.
func (Config) CheckWeights(m weights.Mapping, t configs.Train) error {
	for _, p := range m.Pairs {
		if torchName.MatchString(weights.Unwrap(p.Tensor)) && t.Input != "torch" {
			return fmt.Errorf("the file is torchvision's: it needs train.network.input = \"torch\", not %q", t.Input)
		}
	}
	return nil
}

// IsNorm is models.Backbone's: there is none.
func (Config) IsNorm(string) bool { return false }

// NormFree is models.NormFree's.
func (Config) NormFree() bool { return true }

// Stage is models.Backbone's: conv1 is the first, conv2 the second and so on, so
// that cut_after = 2 is what psa freezes.
func (Config) Stage(path string) int {
	if rest, ok := strings.CutPrefix(path, "conv"); ok {
		return int(rest[0] - '0')
	}
	return 6
}

// detect is models.Detector's.
func detect(shape map[string][]int) (name string, width float64, ok bool, err error) {
	for _, stem := range []string{"conv1_1.weight", "features.0.weight"} {
		if s := shape[stem]; len(s) == 4 && s[2] == 3 && (stem == "features.0.weight" || len(shape["fc7.weight"]) == 4) {
			return Name, float64(s[0]) / 64, true, nil
		}
	}
	return "", 0, false, nil
}
