// Package zoo holds debug-size members of the foundation models, with the
// same architectures, operators and signatures as the published exports. They
// are trained on the generated scenes, and make the demo and the tests run
// real inference without a download. nets/ holds the architectures,
// make_zoo.py trains and exports them.
package zoo

import "embed"

// Files are the models, and the vocabularies of those that read text.
//
//go:embed *.onnx *.txt
var Files embed.FS
