// Package nets links the networks of wsss: importing it registers every
// architecture and every backbone. A new one is a file of its own, in one of
// these packages or in a package that this list names.
package nets

import (
	_ "wsss/models/deeplab"     // deeplab-v1, deeplab-v2, deeplab-v3plus, deeplab-v3plus-multigrid
	_ "wsss/models/effnet"      // efficientnet-lite0 to 4
	_ "wsss/models/mask2former" // mask2former
	_ "wsss/models/resnet"      // resnet18, resnet34, resnet50, resnet101
	_ "wsss/models/swin"        // swin_t, swin_s, swin_b, swin_l, swin_b_w7, swin_l_w7
	_ "wsss/models/vgg"         // vgg16
	_ "wsss/models/vitseg"      // vit-linear, vit-mask, on vit-s16, dinov2-s14-reg, clip-b16, …
	_ "wsss/models/wrn"         // wrn38
)
