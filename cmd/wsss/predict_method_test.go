package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"wsss/checkpoints/files"
	"wsss/data/annotation/annotationtest"
	"wsss/data/datatest"
	"wsss/models/manifest"
)

// num is a number as text.
func num(v int) string { return strconv.Itoa(v) }

// predictCall runs wsss predict and returns its output and errors.
func predictCall(t *testing.T, code int, args ...string) string {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	old := os.Stderr
	os.Stderr = said
	defer func() { os.Stderr = old }()
	out := capture(t, func() {
		if got := dispatch(t.Context(), append([]string{"predict", "-quiet"}, args...)); got != code {
			t.Errorf("wsss predict %s: exit code %d, want %d", strings.Join(args, " "), got, code)
		}
	})
	raw, err := os.ReadFile(said.Name())
	if err != nil {
		t.Fatal(err)
	}
	return out + string(raw)
}

// TestPredictFromLabels: boxes in any tool's format give the same label maps,
// beside the photos or elsewhere.
func TestPredictFromLabels(t *testing.T) {
	photos := annotationtest.Photos(4)
	elsewhere := t.TempDir()
	for _, p := range photos {
		annotationtest.NewWriter(t, elsewhere).Photo(p.Name+".png", p)
	}
	labels := map[string][]byte{}
	for _, layout := range annotationtest.Layouts {
		t.Run(layout.Name, func(t *testing.T) {
			root, out := t.TempDir(), t.TempDir()
			layout.Write(annotationtest.NewWriter(t, root), photos)
			predictCall(t, exitOK, "-method", "grabcut", "-out", filepath.Join(out, "in"), root)
			compareLabels(t, filepath.Join(out, "in"), photos, labels)
			predictCall(t, exitOK, "-method", "grabcut", "-classes", "bolt,nut", "-labels", root, "-out", filepath.Join(out, "else"), elsewhere)
			compareLabels(t, filepath.Join(out, "else"), photos, labels)
		})
	}
}

// TestPredictFromFile: a single label file, photos named one by one, some of
// them without labels, in several output formats.
func TestPredictFromFile(t *testing.T) {
	photos := annotationtest.Photos(4)
	dir := t.TempDir()
	w := annotationtest.NewWriter(t, dir)
	for _, p := range photos {
		w.Photo("photos/"+p.Name+".png", p)
	}
	var csv strings.Builder
	csv.WriteString("image,class,x0,y0,x1,y1\n")
	for _, p := range photos[1:] {
		for _, o := range p.Objects {
			csv.WriteString(strings.Join([]string{p.Name, o.Class, num(o.X0), num(o.Y0), num(o.X1), num(o.Y1)}, ",") + "\n")
		}
		if len(p.Objects) == 0 {
			csv.WriteString(p.Name + ",,,,,\n")
		}
	}
	csv.WriteString("gone.png,bolt,1,1,9,9\n")
	w.Text("elsewhere/my boxes.csv", csv.String())
	w.COCO("elsewhere/coco.json", photos[1:], func(p annotationtest.Photo) string { return p.Name + ".png" }, 1, false)
	w.Text("photos/z-bad.png", "no picture")
	labels := map[string][]byte{}
	for _, file := range []string{"my boxes.csv", "coco.json"} {
		out := filepath.Join(dir, "out", file)
		text := predictCall(t, exitFailed, "-method", "grabcut", "-labels", filepath.Join(dir, "elsewhere", file), "-format", "png,overlay,coco,labelme", "-out", out, filepath.Join(dir, "photos"))
		for _, want := range []string{"which have no boxes, such as " + filepath.Join(dir, "photos", photos[0].Name), "labels of 3 images in", "z-bad.png"} {
			if strings.Count(text, want) != 1 {
				t.Errorf("%s: %q, want %q once", file, text, want)
			}
		}
		for _, made := range []string{"coco.json", "overlay/" + photos[1].Name + ".jpg", "labelme/" + photos[1].Name + ".json"} {
			if !files.Exists(filepath.Join(out, made)) {
				t.Errorf("%s: no %s", file, made)
			}
		}
		compareLabels(t, out, photos, labels)
	}
	if len(labels) != 3 {
		t.Errorf("%d photos were labelled, want 3", len(labels))
	}
}

// TestPredictZeroShot: class names alone, with the models that come with wsss.
func TestPredictZeroShot(t *testing.T) {
	t.Setenv(manifest.Env, t.TempDir())
	predictable := annotationtest.Photos(2)
	dir := t.TempDir()
	for _, p := range predictable {
		annotationtest.NewWriter(t, dir).Photo(p.Name+".png", p)
	}
	out := filepath.Join(t.TempDir(), "out")
	args := []string{"-method", "grounded-sam", "-classes", "circle,square", "-backend", "go", "-out", out, dir}
	if text := predictCall(t, exitMissing, args...); !strings.Contains(text, "wsss models pull mobile-sam") || !strings.Contains(text, "wsss models pull gdino-tiny") || files.Exists(out) {
		t.Errorf("weights that are missing: %q", text)
	}
	text := predictCall(t, exitOK, append([]string{"-set", "gen.options.sam=tiny-sam", "-set", "gen.options.gdino=tiny-gdino"}, args...)...)
	for _, want := range []string{"WARNING: tiny-sam, tiny-gdino: debug-size", "labels of 2 images in " + out} {
		if strings.Count(text, want) != 1 {
			t.Errorf("zero-shot: %q, want %q once", text, want)
		}
	}
	for _, p := range predictable {
		if _, err := os.Stat(filepath.Join(out, p.Name+".png")); err != nil {
			t.Error(err)
		}
	}
}

// TestPredictMethodFlags: one wrong value of each flag is one clear error.
func TestPredictMethodFlags(t *testing.T) {
	photos := annotationtest.Photos(2)
	dir, plain := t.TempDir(), t.TempDir()
	annotationtest.Layouts[0].Write(annotationtest.NewWriter(t, dir), photos)
	for _, p := range photos {
		annotationtest.NewWriter(t, plain).Photo(p.Name+".png", p)
	}
	text := filepath.Join(plain, "notes.txt")
	datatest.Write(t, text, "hello\n")
	for _, tt := range []struct {
		args string
		says string
	}{
		{"-method grabcuts DIR", "-method grabcuts: allowed are"},
		{"-method grabcut -checkpoint x DIR", "-checkpoint or -method"},
		{"-method grabcut", "at least one image"},
		{"-method grabcut -weak box DIR", "-weak box: allowed are [none tags points scribbles boxes]"},
		{"-method grabcut -weak none -classes a DIR", "method grabcut takes boxes"},
		{"-method grabcut -weak points DIR", "has no points"},
		{"-method grabcut -labels nowhere.json DIR", "-labels nowhere.json: "},
		{"-method grabcut -labels TEXT DIR", "notes.txt"},
		{"-method grabcut PLAIN", "holds no labels that are read (csv, json, coco"},
		{"-method grabcut -classes a PLAIN", "no labels of these photos that grabcut takes"},
		{"-method grabcut DIR PLAIN", "-labels is missing"},
		{"-method grabcut -classes a,a DIR", `"a" occurs twice`},
		{"-method grabcut -set train.batch=2 DIR", "-set train.batch=2: allowed are seed and keys of [gen]"},
		{"-method grabcut -set gen.method=sam DIR", "-set gen.method=sam"},
		{"-method grabcut -set gen.options.gama=2 DIR", "gama"},
		{"-method grabcut -set gen.options.gamma=x DIR", "gamma"},
		{"-method grabcut -set gen.fuse.rule=x DIR", `gen.fuse.rule = "x": allowed is one of score`},
		{`-method grabcut -set gen.fuse.priority=["nuts"] DIR`, `gen.fuse.priority[0] = "nuts" is no class: allowed are`},
		{`-method grabcut -set gen.fuse.priority=["bolt","bolt"] DIR`, `gen.fuse.priority[1] = "bolt": the class is there twice`},
		{`-method grabcut -set gen.fuse.priority="nut" DIR`, "gen.fuse.priority"},
		{`-method grounded-sam -classes cat -set gen.options.negative.dog=["toy"] DIR`, "gen.options.negative.dog: the dataset has no such class: allowed are cat"},
		{`-method grounded-sam -classes cat -set gen.options.negative.cat=[""] DIR`, "gen.options.negative.cat[0] is empty: allowed are words"},
		{`-method grounded-sam -classes cat -set gen.options.negative.cat="toy" DIR`, "negative"},
		{`-method grounded-sam -classes cat -set gen.options.phrases.dog="toy" DIR`, "gen.options.phrases.dog: the dataset has no such class: allowed are cat"},
		{`-method sam-auto -classes cat -set gen.options.negative.dog=["toy"] DIR`, "gen.options.negative: allowed with a namer"},
		{`-method sam-auto -classes cat -set gen.options.namer="clip" -set gen.options.negative.dog=["toy"] DIR`, "gen.options.negative.dog: the dataset has no such class"},
		{"-method grabcut -format gif DIR", "gif"},
		{"-method grabcut -backend cuda DIR", "cuda"},
		{"-method grabcut -scales 2 DIR", "-scales goes with -checkpoint only"},
		{"-method grounded-sam DIR", "-classes is missing"},
		{"-method grounded-sam -weak none -labels TEXT -classes a DIR", "-weak none, which reads no labels"},
		{"-checkpoint PLAIN -classes a DIR", "-classes goes with -method only"},
	} {
		out := filepath.Join(t.TempDir(), "out")
		args := []string{"-out", out}
		for _, a := range strings.Fields(tt.args) {
			args = append(args, strings.NewReplacer("DIR", dir, "PLAIN", plain, "TEXT", text).Replace(a))
		}
		said := predictCall(t, exitUsage, args...)
		if !strings.Contains(said, tt.says) {
			t.Errorf("%s: %q, want %q", tt.args, said, tt.says)
		}
		if files.Exists(filepath.Join(out, photos[0].Name+".png")) {
			t.Errorf("%s: labels were written", tt.args)
		}
	}
}
