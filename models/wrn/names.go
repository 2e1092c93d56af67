package wrn

import (
	"fmt"
	"regexp"
	"strings"

	"wsss/configs"
	"wsss/models/weights"
)

var (
	ownName    = regexp.MustCompile(`^(conv1a|bn7|b[2-7](_[1-5])?\.(conv|bn)_branch[12]\w*)\.(weight|bias|running_mean|running_var)$`)
	mxnetName  = regexp.MustCompile(`^(?:arg:|aux:)?(res|bn)([2-7])(?:a|b([1-5]))?_(branch[12]\w*?)_(weight|gamma|beta|moving_mean|moving_var)$`)
	mxnetOuter = regexp.MustCompile(`^(?:arg:|aux:)?(conv1a|bn7)_(weight|gamma|beta|moving_mean|moving_var)$`)
	normModule = regexp.MustCompile(`(^|/)bn(7|_branch2\w*)/(weight|bias)$`)
)

// mxnetLeaf maps MXNet's names of values to PyTorch's.
var mxnetLeaf = map[string]string{"weight": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_var": "running_var"}

// Rename is models.Backbone's. It knows psa's names (b2_1.conv_branch2a.weight)
// and those of the published MXNet file (arg:res2b1_branch2a_weight).
func (Config) Rename(tensor string) (name string, ok bool) {
	if m := mxnetOuter.FindStringSubmatch(tensor); m != nil {
		return m[1] + "." + mxnetLeaf[m[2]], true
	}
	if m := mxnetName.FindStringSubmatch(tensor); m != nil {
		name = "b" + m[2]
		if m[3] != "" {
			name += "_" + m[3]
		}
		kind := map[string]string{"res": "conv", "bn": "bn"}[m[1]]
		return name + "." + kind + "_" + m[4] + "." + mxnetLeaf[m[5]], true
	}
	return tensor, ownName.MatchString(tensor)
}

// CheckWeights is models.Backbone's: the published file takes torchvision's input.
func (Config) CheckWeights(m weights.Mapping, t configs.Train) error {
	for _, p := range m.Pairs {
		if mxnetName.MatchString(weights.Unwrap(p.Tensor)) && t.Input != "torch" {
			return fmt.Errorf("the file is the one published for ImageNet: it needs train.network.input = \"torch\", not %q", t.Input)
		}
	}
	return nil
}

// IsNorm is models.Backbone's.
func (Config) IsNorm(path string) bool { return normModule.MatchString(path) }

// Stage is models.Backbone's: conv1a is the first, b2 the second and so on, so
// that cut_after = 2 is what psa freezes.
func (Config) Stage(path string) int {
	switch module, _, _ := strings.Cut(path, "/"); {
	case module == "conv1a":
		return 1
	case len(module) > 1 && module[0] == 'b' && module[1] >= '2' && module[1] <= '7':
		return int(module[1] - '0')
	}
	return 7 // bn7
}

// detect is models.Detector's.
func detect(shape map[string][]int) (name string, width float64, ok bool, err error) {
	stem := shape["conv1a.weight"]
	if len(stem) != 4 || len(shape["b7.conv_branch2b2.weight"]) != 4 {
		return "", 0, false, nil
	}
	return Name, float64(stem[0]) / 64, true, nil
}
