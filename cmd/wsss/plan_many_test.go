package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/data/datatest"
)

// TestPlanMany: most of the papers' configs need nothing but weights to pull,
// data and one command; docs/papers.md has the table as the command prints it,
// whatever is on this machine.
func TestPlanMany(t *testing.T) {
	t.Setenv("WSSS_MODELS", t.TempDir())
	paths, err := filepath.Glob("../../configs/papers/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := pipeline.PlanMany(paths, nil, &b); err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^(\d+) of (\d+) configs need nothing but`).FindStringSubmatch(b.String())
	if m == nil {
		t.Fatalf("no count:\n%s", b.String())
	}
	if ready, _ := strconv.Atoi(m[1]); ready < 53 || m[2] != strconv.Itoa(len(paths)) {
		t.Errorf("%s: want at least 53, and %d in all", m[0], len(paths))
	}
	for _, want := range []string{
		"| jiang2023_t1_01_cam | voc train_aug, train; voc train | resnet50 |  |",
		"| box2024_t1_18_mask2former | openimages train; voc val; voc train, val | clip-vit-b-16, sam-vit-h-meta, gdino-tiny, swin-l-22k |  |",
		"a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	doc, err := os.ReadFile("../../docs/papers.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), b.String()) {
		t.Error("docs/papers.md has another table than `wsss run -dry-run configs/papers/*.toml` prints")
	}
}

// TestPlanManyErrors: several configs are for -dry-run alone, and each is named.
func TestPlanManyErrors(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.toml")
	datatest.Write(t, bad, "[gen]\nmethod = \"none\"")
	const good = "../../configs/demo.toml"
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{good}, "-dry-run takes several"},
		{[]string{"-dry-run", "-config", good, good}, "give one config by -config"},
		{[]string{"-dry-run", good, bad}, bad + ": gen.method = \"none\" is unknown"},
		{[]string{"-dry-run", good, bad + "x"}, "no such file"},
	} {
		cmd := wsssCommand(t, append([]string{"run"}, tt.args...)...)
		text, _ := cmd.CombinedOutput() // the code says it
		if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(text), tt.want) {
			t.Errorf("%v: exit code %d, %s; want %q", tt.args, code, text, tt.want)
		}
	}
}

// TestOtherSAM: every row of Segment Anything runs on another model that takes what
// it asks for.
func TestOtherSAM(t *testing.T) {
	paths, err := filepath.Glob("../../configs/papers/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for _, path := range paths {
		var b strings.Builder
		if err := pipeline.PlanMany([]string{path}, nil, &b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), "sam-vit-h-meta") {
			continue
		}
		rows++
		for _, other := range []string{"mobile-sam", "sam-vit-h-boxes", "sam-vit-h-int8"} {
			b.Reset()
			if err := pipeline.PlanMany([]string{path}, []string{"*.sam=" + other}, &b); err != nil {
				t.Fatal(err)
			}
			if text := b.String(); !strings.Contains(text, other) || strings.Contains(text, "sam-vit-h-meta") {
				t.Errorf("%s with %s:\n%s", path, other, text)
			}
		}
	}
	if rows < 30 {
		t.Errorf("%d rows of Segment Anything, want 30 at least", rows)
	}
}
