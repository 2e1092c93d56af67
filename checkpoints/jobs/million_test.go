package jobs

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// TestMillion: leases and status of a million items take seconds and few
// megabytes.
func TestMillion(t *testing.T) {
	if os.Getenv("WSSS_VERIFY") == "" {
		t.Skip("some thousand synced files; WSSS_VERIFY=1 runs it")
	}
	dir := filepath.Join(t.TempDir(), "j")
	j := join(t, dir, Plan{Hash: "m", Items: 1_000_000})
	start := time.Now()
	for n := 0; ; n++ {
		p, ok, err := j.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			t.Logf("%d chunks taken and finished in %.1f s", n, time.Since(start).Seconds())
			break
		}
		if err := j.Finish(p, nil); err != nil {
			t.Fatal(err)
		}
	}
	j.Leave(nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start = time.Now()
	s, err := Status(dir)
	if err != nil || s.Done != 1_000_000 || s.Open != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	t.Logf("status in %.2f s, %.1f MB allocated", took.Seconds(), float64(after.TotalAlloc-before.TotalAlloc)/1e6)
	if took > 10*time.Second {
		t.Errorf("status took %v", took)
	}
}
