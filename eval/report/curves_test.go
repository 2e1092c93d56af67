package report

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadLog(t *testing.T) {
	tests := []struct {
		name, text string
		want       map[string]Series
		damaged    int
	}{
		{"numbers", "{\"step\":1,\"loss\":2}\n\n{\"step\":2,\"loss\":1.5,\"note\":\"x\"}\n", map[string]Series{"loss": {[]float64{1, 2}, []float64{2, 1.5}}}, 0},
		{"rates", "{\"step\":1,\"lr\":[0.1,1,2],\"val_iou\":[0.5,-1]}\n", map[string]Series{"lr": {[]float64{1}, []float64{0.1}}}, 0},
		{"resumed", "{\"iter\":1,\"loss\":3}\n{\"iter\":2,\"loss\":2}\n{\"iter\":1,\"loss\":1}\n", map[string]Series{"loss": {[]float64{1}, []float64{1}}}, 0},
		{"torn", "{\"step\":1,\"loss\":3}\n{\"step\":2,\"lo", map[string]Series{"loss": {[]float64{1}, []float64{3}}}, 0},
		{"broken", "{\"step\":1,\"loss\":3}\nhello\n{\"step\":2,\"loss\":1}\n", map[string]Series{"loss": {[]float64{1, 2}, []float64{3, 1}}}, 1},
		{"no step", "{\"loss\":3}\n", map[string]Series{}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log.jsonl")
			writeFile(t, path, []byte(tt.text))
			got, damage, err := ReadLog(path)
			if err != nil || len(got) != len(tt.want) || damage.Lines != tt.damaged {
				t.Fatalf("%v, %v, %v: want %v", got, damage, err, tt.want)
			}
			for k, w := range tt.want {
				if !slices.Equal(got[k].Step, w.Step) || !slices.Equal(got[k].Value, w.Value) {
					t.Errorf("%s = %v, want %v", k, got[k], w)
				}
			}
		})
	}
}

func TestNiceTicks(t *testing.T) {
	tests := []struct {
		lo, hi float64
		want   []float64
	}{
		{0, 3, []float64{0, 1, 2, 3}},
		{0, 400, []float64{0, 100, 200, 300, 400}},
		{0, 0.9, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{7, 7, []float64{7, 14}},
		{1e16, 1e16 + 2, []float64{1e16, 2e16}},
	}
	for _, tt := range tests {
		got := niceTicks(tt.lo, tt.hi, 5)
		ok := len(got) == len(tt.want)
		for i := range got {
			ok = ok && (got[i]-tt.want[i] < 1e-9 && tt.want[i]-got[i] < 1e-9)
		}
		if !ok && tt.lo < 1e15 || len(got) < 2 || len(got) > 15 {
			t.Errorf("niceTicks(%g, %g) = %v, want %v", tt.lo, tt.hi, got, tt.want)
		}
	}
}

// FuzzReadLog: whatever a log holds, it is drawn or refused.
func FuzzReadLog(f *testing.F) {
	f.Add([]byte("{\"step\":1,\"loss\":2,\"lr\":[1]}\n{\"step\":2,\"loss\":1e308}\n{\"step\":3,\"loss\":-1e308}"))
	f.Add([]byte("{\"step\":1e16,\"loss\":2}\n{\"step\":1.0000000000000002e16,\"loss\":2}"))
	f.Add([]byte("[]\n{\"iter\":null}"))
	path := filepath.Join(f.TempDir(), "log.jsonl") // one per process: folders are slow to make
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		list, err := charts([]Curve{{Name: "run", Log: path}}, nil)
		if err != nil {
			return
		}
		for _, c := range list {
			if len(c.Name) == 0 && !strings.Contains(string(raw), "\"\"") {
				t.Errorf("chart without a name: %+v", c)
			}
			for _, l := range c.Lines {
				if strings.Contains(l.Points, "NaN") || strings.Contains(l.Points, "Inf") {
					t.Errorf("%s: points %s", c.Name, l.Points)
				}
			}
		}
	})
}
