package onnxseg

import (
	"wsss/configs"
	"wsss/eval"
	"wsss/models"
)

// [[eval.row]] kind = "onnx" takes the keys of [[eval.onnx]] as its options.
func init() {
	eval.RegisterRow("onnx", eval.RowKind{
		NeedsBackend: true,
		Check: func(section string, options map[string]any) error {
			_, err := configs.DecodeONNX(section, options)
			return err
		},
		Open: func(env eval.RowEnv) (models.Predictor, error) {
			o, err := configs.DecodeONNX(env.Section, env.Options)
			if err != nil {
				return nil, err
			}
			return Open(env.Backend, o, env.Dataset.Classes().Len())
		},
	})
}
