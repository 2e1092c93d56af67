package shards_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"wsss/data/shards"
)

// TestMillion measures the listing of a dataset of a million images, and of parts
// of that.
func TestMillion(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("lists of a million names; WSSS_VERIFY=1 makes them")
	}
	type file struct {
		File  string   `json:"file"`
		Bytes int64    `json:"bytes"`
		IDs   []string `json:"ids"`
	}
	for _, n := range []int{250_000, 500_000, 1_000_000} {
		var list []file
		for i := 0; i < n; i += 5000 {
			f := file{File: fmt.Sprintf("train-%06d.tar", i/5000), Bytes: 256 << 20}
			for k := range 5000 {
				f.IDs = append(f.IDs, fmt.Sprintf("photos/%09d", i+k))
			}
			list = append(list, f)
		}
		raw, err := json.Marshal(map[string]any{"classes": []string{"background", "a"}, "splits": map[string]any{"train": list}})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, shards.ManifestName), raw, 0o644); err != nil {
			t.Fatal(err)
		}

		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		ds, err := shards.Open(dir, shards.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ids, err := ds.IDs("train")
		took := time.Since(start)
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err != nil || len(ids) != n {
			t.Fatal(len(ids), err)
		}
		t.Logf("%d images: listed in %.2f s, %.0f MB kept", n, took.Seconds(), float64(after.HeapAlloc-before.HeapAlloc)/1e6)
		runtime.KeepAlive(ds)
	}
}
