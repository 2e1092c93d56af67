package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/data/annotation/annotationtest"
	"wsss/models/backend"
	"wsss/models/manifest"
)

// The config that the README shows is what init writes for the folder that it
// shows, with the weights that its commands fetch.
func TestReadmeConfig(t *testing.T) {
	if backend.HasGPU() {
		t.Skip("the README shows what init writes without a GPU")
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Setenv(manifest.Env, dir)
	m, err := manifest.Find("resnet18")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		annotationtest.NewWriter(t, dir).Text(filepath.Join("resnet18", f.Name()), "weights")
	}
	t.Chdir(dir)
	w := annotationtest.NewWriter(t, "mine")
	labels := "image,class,x0,y0,x1,y1\n"
	for _, p := range annotationtest.Photos(60) {
		w.Photo("images/"+p.Name+".png", p)
		labels += p.Name + ",scratch,5,5,20,20\n"
	}
	w.Text("classes.txt", "background\nscratch\ndent\n")
	w.Text("labels.csv", labels)
	capture(t, func() {
		if code := dispatch(t.Context(), []string{"init", "mine"}); code != exitOK {
			t.Fatalf("exit code %d", code)
		}
	})
	toml, err := os.ReadFile("mine.toml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```toml\n"+string(toml)+"```") {
		t.Errorf("README.md does not show what init writes:\n%s", toml)
	}
}
