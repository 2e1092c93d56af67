package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wsss/cmd/pipeline"
	"wsss/data/datatest"
	"wsss/eval/report"
)

// TestEvalWays: every asked-for combination is a row, labels carry their
// quality, and predictions pack into a submission.
func TestEvalWays(t *testing.T) {
	dir := t.TempDir()
	scenes := filepath.Join(dir, "scenes")
	run := func(code int, args ...string) string {
		t.Helper()
		return output(t, wsssCommand(t, args...), code)
	}
	args := append(tinyRun(dir, scenes), "-quiet", "-set", "compare=[]", "-set", "eval.zero_shot=[]", "-set", "train.iterations=2", "-set", "train.checkpoint.val_every=0", "-set", "train.bound=false",
		"-set", "eval.test_time=[{scales=[0.5,1.0],flip=true},{crf=true}]")
	run(exitOK, args...)
	var doc report.Document
	datatest.JSON(t, filepath.Join(dir, report.JSONName), &doc)
	var names []string
	for _, r := range doc.Results {
		names = append(names, r.Name)
		if !r.MIoU.Valid() || r.PerSecond <= 0 {
			t.Errorf("%s: mIoU %v at %v images/s", r.Name, r.MIoU, r.PerSecond)
		}
	}
	net := pipeline.NetTitle(pipeline.NetPseudo)
	want := []string{"pseudo-labels", net, net + " on train", net + ", scales 0.5 1, flip", net + ", CRF"}
	if strings.Join(names, "|") != strings.Join(want, "|") {
		t.Errorf("rows %q, want %q", names, want)
	}
	for i, want := range []string{"sam (tiny-sam) from boxes, fused by score", "deeplab-v3plus resnet18 ×0.25"} {
		if got := doc.Results[i].Settings[report.MadeBy]; got != want {
			t.Errorf("%s is made by %q, want %q", names[i], got, want)
		}
	}
	way := doc.Results[4].Settings
	for key, want := range map[string]string{report.TrainedOn: "scenes train, 10 images", report.Start: "random weights", report.Scales: "0.375", report.Flip: "no", report.CRF: "yes", report.Sides: "own"} {
		if way[key] != want {
			t.Errorf("%s: %s is %q, want %q", names[4], key, way[key], want)
		}
	}
	if len(doc.Look) == 0 {
		t.Error("no images to look at first: the labels' quality is lost")
	}

	eval := append([]string{"eval"}, args[1:]...)
	out := filepath.Join(dir, "results.tgz")
	text := run(exitOK, append(eval, "-labels", filepath.Join(dir, "predictions", pipeline.FileName(net)), "-split", "val", "-submission", out)...)
	if !strings.Contains(text, "4 label maps in results/VOC2012/Segmentation/comp6_test_cls") {
		t.Errorf("-submission prints %q", text)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
	text = run(exitFailed, append(eval, "-labels", filepath.Join(dir, "gen"), "-split", "val", "-submission", out)...)
	if !strings.Contains(text, "4 of 4 label maps") {
		t.Errorf("labels of another split: %q", text)
	}
	text = run(exitUsage, append(eval, "-submission", out)...)
	if !strings.Contains(text, "-labels") || !strings.Contains(text, net+", CRF") {
		t.Errorf("-submission of any row: %q", text)
	}
	// A row may label the split itself.
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	text = run(exitOK, append(eval, "-only", net+", CRF", "-submission", out)...)
	if !strings.Contains(text, "4 label maps") {
		t.Errorf("-submission of one row: %q", text)
	}
	text = run(exitUsage, append(eval, "-only", "no such row")...)
	if !strings.Contains(text, net+", scales 0.5 1, flip") {
		t.Errorf("-only of an unknown row does not list them: %q", text)
	}

	checkPredict(t, run, scenes, filepath.Join(dir, "train", pipeline.NetPseudo), filepath.Join(dir, "predictions", pipeline.FileName(net)))
	checkBucket(t, run, eval, scenes, filepath.Join(dir, "train", pipeline.NetPseudo), filepath.Join(dir, "predictions", pipeline.FileName(net)))

	// Networks of other runs share one table, and names must differ.
	checkpoint := filepath.Join(dir, "train", pipeline.NetPseudo)
	more := append(eval, "-set", "out="+filepath.Join(dir, "more"), "-set", "eval.test_time=[]", "-report")
	text = run(exitOK, append(more, "-checkpoint", "first="+checkpoint, "-checkpoint", "second="+checkpoint)...)
	if !strings.Contains(text, "first ") || !strings.Contains(text, "second ") {
		t.Errorf("two networks: %q", text)
	}
	if _, err := os.Stat(filepath.Join(dir, "more", report.HTMLName)); err != nil {
		t.Error(err)
	}
	text = run(exitOK, append(more, "-set", `eval.network=[{name="of another run",checkpoint="`+checkpoint+`"}]`, "-only", "of another run")...)
	if !strings.Contains(text, "of another run") {
		t.Errorf("eval.network: %q", text)
	}
	text = run(exitUsage, append(more, "-checkpoint", "same="+checkpoint, "-checkpoint", "same="+checkpoint)...)
	if !strings.Contains(text, "rename one") {
		t.Errorf("two rows of one name: %q", text)
	}
}
