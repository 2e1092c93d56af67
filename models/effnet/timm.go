package effnet

import (
	"fmt"
	"regexp"
	"strconv"

	"wsss/models/weights"
)

// timmBlock is the name of a tensor of a block in timm's files: stage, place in it,
// module, the rest.
var timmBlock = regexp.MustCompile(`^((?:module\.|model\.|backbone\.|encoder\.)*)blocks\.([0-9]{1,2})\.([0-9]{1,2})\.(conv_pwl|conv_pw|conv_dw|bn[123])(\..*)$`)

// timmOuter is that of a tensor outside of blocks.
var timmOuter = regexp.MustCompile(`^((?:module\.|model\.|backbone\.|encoder\.)*)(conv_stem|bn1|conv_head|bn2|classifier)(\..*)$`)

// Our names of timm's modules: outside of blocks, in blocks that widen their
// channels first, and in those that do not, of the first stage.
var (
	timmOuterNames  = map[string]string{"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
	timmWideNames   = map[string]string{"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1", "conv_pwl": "_project_conv", "bn3": "_bn2"}
	timmNarrowNames = map[string]string{"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
)

// Adapt gives the tensors of timm's files, whose blocks are counted in each stage,
// the names of the other files.
func Adapt(src weights.Source) weights.Source {
	var count [100]int // blocks of a stage
	for _, name := range src.Names() {
		if m := timmBlock.FindStringSubmatch(name); m != nil {
			stage, _ := strconv.Atoi(m[2])
			block, _ := strconv.Atoi(m[3])
			count[stage] = max(count[stage], block+1)
		}
	}
	if count[0] == 0 {
		return src
	}
	return weights.Renamed(src, func(name string) string {
		if m := timmOuter.FindStringSubmatch(name); m != nil {
			return m[1] + timmOuterNames[m[2]] + m[3]
		}
		m := timmBlock.FindStringSubmatch(name)
		if m == nil {
			return name
		}
		stage, _ := strconv.Atoi(m[2])
		index, _ := strconv.Atoi(m[3])
		for _, n := range count[:stage] {
			index += n
		}
		modules := timmWideNames
		if stage == 0 {
			modules = timmNarrowNames
		}
		if modules[m[4]] == "" {
			return name
		}
		return fmt.Sprintf("%s_blocks.%d.%s%s", m[1], index, modules[m[4]], m[5])
	})
}
