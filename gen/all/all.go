// Package all registers every method of stage one with package gen.
package all

import (
	_ "wsss/gen/cam"       // cam, imagenet-cam
	_ "wsss/gen/clipes"    // clip-es, vit-cam
	_ "wsss/gen/exemplars" // exemplars
	_ "wsss/gen/grabcut"   // GrabCut, no weights
	_ "wsss/gen/promptsam" // SAM, and Grounding-DINO with SAM
	_ "wsss/gen/refine"    // crf, sepl, random-walk, ensemble
	_ "wsss/gen/retrieve"  // retrieve
	_ "wsss/gen/saliency"  // saliency
	_ "wsss/gen/sam3"      // sam3
	_ "wsss/gen/source"    // import: labels and CAMs of other tools
)
