// Command wsss turns images with cheap labels into a segmentation network:
// gen makes pseudo-label masks, train fits DeepLab on them, eval scores both,
// report shows everything in one page; run does it all from one config.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"wsss/checkpoints/store" // s3://, gs://, azblob://
	"wsss/configs"
	"wsss/data/crash"
)

// Exit codes, as documented in the help.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitMissing     = 3 // data, weights or a library
	exitHeld        = 4 // another process is at it
	exitSome        = 5 // a job is done, and some of its images failed
	exitInterrupted = 130
)

// command is one subcommand; each lives in a file of its own.
type command struct {
	Name, Args, Short string
	run               func(ctx context.Context, args []string) error
}

// Usage is the command with its arguments.
func (c command) Usage() string { return strings.TrimSpace(c.Name + " " + c.Args) }

// commands are in the order of the help: the pipeline first, then tools.
var commands = []command{
	{Name: "init", Args: "FOLDER", Short: "a config for a folder of images and what labels it has", run: runInit},
	{Name: "run", Short: "the whole pipeline from one config: gen, train, eval, report", run: runAll},
	{Name: "gen", Short: "stage one: weak labels to pseudo-label masks", run: runGen},
	{Name: "train", Short: "stage two: a segmentation network from label masks", run: runTrain},
	{Name: "eval", Short: "score pseudo-labels, networks and other tools' folders", run: runEval},
	{Name: "predict", Short: "label your own images with a trained network, or by a method without training", run: runPredict},
	{Name: "export", Short: "a trained network as ONNX or safetensors; doubtful labels for labelling tools", run: runExportNet},
	{Name: "import", Args: "FILE|DIR", Short: "labels that were changed in a labelling tool", run: runImport},
	{Name: "review", Short: "look at labels in the browser and correct them", run: runReview},
	{Name: "report", Short: "one HTML page with scores, pictures, curves and provenance", run: runReport},
	{Name: "ablate", Short: "a grid of runs, as a table of mean ± deviation", run: runAblate},
	{Name: "table", Short: "pseudo-labels of many methods side by side with published numbers", run: runTable},
	{Name: "train-classifier", Short: "train the ResNet classifier behind class activation maps, from image tags", run: runTrainClassifier},
	{Name: "train-irn", Short: "train IRN's network of boundaries, or AffinityNet, from confident labels", run: runTrainIRN},
	{Name: "finetune-clip", Short: "fine-tune CLIP's image encoder into a classifier, and label images with it", run: runFineTune},
	{Name: "data", Short: "check a dataset, derive weak labels from masks, generate scenes", run: runData},
	{Name: "models", Args: "SUBCOMMAND", Short: "foundation models: list, pull and verify weights; inspect an ONNX file", run: runModels},
	{Name: "licenses", Short: "licences of what the binary is built of, and of weights and libraries it fetches", run: runLicenses},
	{Name: "doctor", Short: "which backends work on this machine, and what would fix the others", run: runDoctor},
	{Name: "version", Short: "versions of wsss and of what it is built from", run: runVersion},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second Ctrl-C ends the program at once
		endBlocked()
	})
	code := dispatch(ctx, os.Args[1:])
	stop()
	store.Clean()
	os.Exit(code)
}

func dispatch(ctx context.Context, args []string) int {
	if len(args) > 1 && slices.Contains(helpWords, args[0]) { // wsss help data validate
		args = append(slices.Clone(args[1:]), "-h")
	}
	if len(args) == 1 && slices.Contains([]string{"-version", "--version"}, args[0]) {
		args = []string{"version"}
	}
	if len(args) == 0 || slices.Contains(helpWords, args[0]) {
		fmt.Fprintln(stdout, helpOf("wsss", commands))
		if len(args) == 0 {
			return exitUsage
		}
		return exitOf(false, nil)
	}
	i := slices.Index(names(commands), args[0])
	if i < 0 {
		fmt.Fprintf(stderr, "wsss: unknown command %q: allowed are %s%s\n", args[0], strings.Join(names(commands), ", "), meant(strings.TrimLeft(args[0], "-")))
		return exitUsage
	}
	err := crash.Do(func() error { return commands[i].run(ctx, args[1:]) })
	return exitOf(ctx.Err() != nil, err)
}

// meant suggests the command that a word looks like, or below which it is one.
func meant(word string) string {
	for name, list := range map[string][]command{"data": dataCommands, "models": modelsCommands} {
		if slices.Contains(names(list), word) {
			return fmt.Sprintf("; did you mean %s %s?", name, word)
		}
	}
	return configs.DidYouMean(word, names(commands))
}

func names(list []command) []string {
	var names []string
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names
}

var errHelp = errors.New("help was asked for")
