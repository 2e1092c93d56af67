package starter

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"wsss/checkpoints/files"
	"wsss/cmd/pipeline"
	"wsss/configs"
	"wsss/data"
	"wsss/data/words"
	"wsss/models/manifest"
)

// choose finds methods for the labels, the first of which can run at once or
// after fetching Models.
func (s *Starter) choose() error {
	store, err := manifest.Open("")
	if err != nil {
		return err
	}
	here := func(name string) bool {
		m, err := manifest.Find(name)
		return err == nil && !slices.ContainsFunc(store.Status(m), func(st manifest.Status) bool { return st.State == manifest.Absent })
	}
	sam := "mobile-sam"
	for _, name := range []string{"sam-vit-b", "sam-vit-l", "sam-vit-h", "sam-vit-b-meta", "sam-vit-l-meta", "sam-vit-h-meta"} {
		if here(name) && (s.Weak != data.WeakBoxes || strings.HasSuffix(name, "-meta")) { // the others' decoders take points only
			sam = name
		}
	}
	prompted := methodLines("sam", "sam = \""+sam+"\"", "score")
	classic := methodLines("grabcut", "", "smaller-first")
	grounded := methodLines("grounded-sam", "sam = \""+sam+"\"\ngdino = \"gdino-tiny\"", "class-index")
	need := []string{sam}
	switch s.Weak {
	case data.WeakTags, data.WeakNone:
		s.Methods, need = []string{grounded}, []string{sam, "gdino-tiny"}
	default:
		s.Methods = []string{prompted, classic}
		if !here(sam) {
			s.Methods, need = []string{classic, prompted + "\n# after: wsss models pull " + sam}, nil
		}
	}
	if s.Supervised {
		need = nil
	}
	for _, name := range need {
		if !here(name) {
			s.Models = append(s.Models, name)
		}
	}
	s.Backbone = "resnet101"
	if !s.GPU { // what a CPU can train
		if s.Backbone = smallBackbone; !here(smallBackbone) && here("resnet18") {
			s.Backbone = "resnet18"
		}
	}
	if here(s.Backbone) {
		s.Start = s.Backbone
	}
	return nil
}

// smallBackbone is what is proposed without a GPU.
const smallBackbone = "efficientnet-lite0"

// Input is the convention of pixels that the backbone's weights were trained
// with.
func (s *Starter) Input() string {
	if strings.HasPrefix(s.Backbone, "efficientnet") {
		return "tf"
	}
	return "torch"
}

// Write writes the config, and reads it again as a run would.
func (s *Starter) Write(path string) error {
	if err := files.WriteAtomic(path, func(w io.Writer) error { return starterText.Execute(w, s) }); err != nil {
		return err
	}
	_, err := configs.Load(path, nil)
	return err
}

// Tell says what was found and chosen, and what to do next.
func (s *Starter) Tell(w io.Writer, path string) {
	val := "scores on split " + s.Val
	if !s.Truth && s.Val == s.Train {
		val = "there is no other for validation"
	} else if !s.Truth {
		val = fmt.Sprintf("split %s is left out of it", s.Val)
	}
	fmt.Fprintf(w, "%s: kind %s, %s to train on (split %s), %s\n", s.Root, s.Kind, words.Plural(s.Images, "image"), s.Train, val)
	if s.Found != "" {
		fmt.Fprintf(w, "  labels: %s\n", s.Found)
	}
	for _, kind := range data.WeakKinds[1:] {
		fmt.Fprintf(w, "  %-10s of %d of %d images\n", kind, s.Have[kind], s.Looked)
	}
	fmt.Fprintf(w, "  %-10s of %d of %d images\n", "masks", s.Masks, min(s.Looked, mostMasks))
	if !s.Truth {
		s.Notes = append(s.Notes, fmt.Sprintf("no masks for split %s: nothing will be scored; the report shows the labels by their own signs of quality", s.Val))
	}
	if !s.draw && s.Weak == data.WeakNone && !s.Supervised && s.nothingYet() {
		s.Notes = append(s.Notes, "to draw labels instead of naming classes alone: wsss init -weak boxes, then wsss review")
	}
	if s.Start == "" {
		get := "wsss models pull " + s.Backbone
		if s.Backbone == smallBackbone {
			get = fmt.Sprintf("wsss models pull resnet18, or %s, of which it tells the command that fetches it", s.Backbone)
		}
		s.Notes = append(s.Notes, fmt.Sprintf("the network starts from random numbers; from ImageNet weights it learns far more from few photos: %s, then remove this config and wsss init again", get))
	}
	for _, n := range s.Notes {
		fmt.Fprintf(w, "  %s\n", n)
	}
	labels := fmt.Sprintf("labels from %s", s.Weak)
	switch {
	case s.draw:
		labels += ", which are to be drawn"
	case s.Supervised:
		labels = "training on the masks"
	case s.Weak == data.WeakNone:
		labels = "labels from the names of the classes alone"
	}
	config := words.Shell(path)
	fmt.Fprintf(w, "wrote %s: %s. Next:\n\n", path, labels)
	if s.draw {
		fmt.Fprintf(w, "  wsss review -config %s          draw the labels\n", config)
	}
	fmt.Fprintf(w, "  wsss data validate -config %s\n", config)
	if len(s.Models) > 0 {
		fmt.Fprintf(w, "  wsss models pull %s\n", strings.Join(s.Models, " "))
	}
	net := pipeline.NetPseudo
	if s.Supervised {
		net = pipeline.NetBound
	}
	fmt.Fprintf(w, "  wsss run -config %s -dry-run\n  wsss run -config %s\n  wsss predict -checkpoint %s -out labels NEW-PHOTOS\n", config, config, words.Shell("runs/"+s.Name+"/train/"+net))
}
