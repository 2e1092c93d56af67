package backend

import (
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/datatest"
	"wsss/models/backend/nativelib"
)

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "libonnxruntime.so.1")
	plugin := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so")
	cuda := filepath.Join(dir, "cpu", "pjrt_c_api_cuda_plugin.so")
	misleading := filepath.Join(dir, "nvidia", "pjrt_c_api_cpu_plugin.so")
	for _, path := range []string{lib, plugin, cuda, misleading, filepath.Join(dir, "libonnxruntime_providers_cuda.so")} {
		datatest.Write(t, path, "")
	}
	t.Setenv(nativelib.EnvORT, lib)
	t.Setenv(nativelib.EnvXLA, plugin)
	t.Setenv(nativelib.EnvCUDA, "")
	t.Chdir(dir)
	for _, c := range []struct{ spec, want, err string }{
		{spec: "go", want: "go:creation_order,ops_sequential"},
		{spec: "onnx", want: "onnx:cpu," + lib},
		{spec: "onnx:cpu", want: "onnx:cpu," + lib},
		{spec: "onnx:cuda", want: "onnx:cuda," + lib},
		{spec: "onnx:migraphx", err: "providers_migraphx"},
		{spec: "onnx:migraphx,./libonnxruntime.so.1", want: "onnx:migraphx," + lib + ",intra_op_num_threads=1"},
		{spec: "onnx:./libonnxruntime.so.1", want: "onnx:cpu," + lib},
		{spec: "onnx:libonnxruntime.so.1", want: "onnx:cpu," + lib},
		{spec: "onnx:missing.so", err: "no such file"},
		{spec: "onnx:tpu", err: "allowed are"},
		{spec: "xla:cpu", want: "xla:" + plugin},
		{spec: "xla:cpu,shared_buffers=false", want: "xla:" + plugin + ",shared_buffers=false"},
		{spec: "xla:./pjrt_c_api_cpu_plugin.so", want: "xla:" + plugin},
		{spec: "xla:cpu/pjrt_c_api_cuda_plugin.so,tf32=false", want: "xla:" + cuda + ",tf32=false,shared_buffers=false"},
		{spec: "xla:nvidia/pjrt_c_api_cpu_plugin.so", err: "move it"},
		{spec: "xla:.", want: "xla:."}, // a name, which go-xla does not know
		{spec: "xla:./", err: "not a file"},
		{spec: "tpu", err: "allowed are"},
	} {
		got, err := resolve(c.spec)
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %q, %v; want %q, %q", c.spec, got, err, c.want, c.err)
		}
	}
}

func TestNamesFile(t *testing.T) {
	for spec, want := range map[string]bool{
		"": false, "go": false, "go:parallelism=1": false, "onnx": false, "onnx:cuda": false, "xla:cuda": false, "xla:cpu,tf32=false": false,
		"onnx:/x/lib.so": true, "onnx:lib.so": true, "onnx:cpu,/x/lib.so.1": true, "xla:./p.so": true, "xla:/p.so,tf32=false": true, "onnx:a/b": true, `xla:a\b`: true,
	} {
		if got := NamesFile(spec); got != want {
			t.Errorf("%q: %t, want %t", spec, got, want)
		}
	}
}
