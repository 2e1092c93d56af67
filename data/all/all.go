// Package all registers every dataset kind; import it for its side effects.
package all

import (
	_ "wsss/data/coco"       // kind "coco"
	_ "wsss/data/folder"     // kind "folder"
	_ "wsss/data/openimages" // kind "openimages"
	_ "wsss/data/scenes"     // kind "scenes"
	_ "wsss/data/shards"     // kind "shards"
	_ "wsss/data/voc"        // kind "voc"
)
