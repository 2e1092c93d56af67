package jobs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"wsss/checkpoints/files"
	"wsss/checkpoints/store/storetest"
)

// TestMillion measures a job of a million items, and of parts of that, in a folder
// and in a bucket: what leases, listing and status cost.
func TestMillion(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("some thousand synced files; WSSS_VERIFY=1 runs it")
	}
	s := storetest.Serve(t)
	bucket, err := files.Mount("out", s.Address("jobs"), false)
	if err != nil {
		t.Fatal(err)
	}
	for where, root := range map[string]string{"folder": t.TempDir(), "bucket": bucket} {
		for _, n := range []int{250_000, 500_000, 1_000_000} {
			million(t, where, filepath.Join(root, fmt.Sprint(n)), n)
		}
	}
}

func million(t *testing.T, where, dir string, items int) {
	p := Plan{About: "a million", Hash: "x", Items: items}
	j := join(t, dir, p)
	start, n := time.Now(), 0
	for ; ; n++ {
		p, ok, err := j.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		if err := j.Finish(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	leases := time.Since(start)
	j.Leave(nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start = time.Now()
	s, err := Status(dir)
	if err != nil || s.Done != items || s.Open != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	t.Logf("%s, %d items: %d chunks taken and finished in %.1f s; listing and status in %.2f s, %.1f MB allocated",
		where, items, n, leases.Seconds(), took.Seconds(), float64(after.TotalAlloc-before.TotalAlloc)/1e6)
	if took > 10*time.Second {
		t.Errorf("status took %v", took)
	}
}
