package backend

import (
	"strings"
	"testing"
)

func TestCheckPrecision(t *testing.T) {
	specs := []string{"go"}
	if FindORT() != "" {
		specs = append(specs, "onnx")
	}
	for _, spec := range specs {
		b, err := Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		for precision, want := range map[string]string{
			"": "", "float32": "", "tf32": "NVIDIA",
			"bf16": map[string]string{"onnx": "computes no bfloat16"}[spec],
		} {
			err := CheckPrecision(b, precision)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s, %q: error %v, want %q", spec, precision, err, want)
			}
		}
	}
}
