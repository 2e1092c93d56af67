package docs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestKubeconform: a checker of its own finds only known fields, of the right
// types, in the manifests.
func TestKubeconform(t *testing.T) {
	program := os.Getenv("WSSS_KUBECONFORM")
	if program == "" {
		var err error
		if program, err = exec.LookPath("kubeconform"); err != nil {
			t.Skip("no kubeconform in PATH, and WSSS_KUBECONFORM names none: go install github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0")
		}
	}
	check := func(files ...string) (string, error) {
		args := append([]string{"-strict", "-summary", "-schema-location", "cluster/schemas/{{.ResourceKind}}{{.KindSuffix}}.json"}, files...)
		out, err := exec.Command(program, args...).CombinedOutput()
		return string(out), err
	}
	if out, err := check("cluster/job.yaml", "cluster/argo.yaml"); err != nil || !strings.Contains(out, "Valid: 2") {
		t.Errorf("%v\n%s", err, out)
	}
	raw, err := os.ReadFile("cluster/job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "job.yaml")
	if err := os.WriteFile(wrong, bytes.Replace(raw, []byte("backoffLimitPerIndex:"), []byte("backoffLimitPerIndx:"), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := check(wrong); err == nil || !strings.Contains(out, "backoffLimitPerIndx") {
		t.Errorf("a field that does not exist: %v\n%s", err, out)
	}
}

// TestManifests: the examples of cluster.md are YAML of the kinds that they say,
// retry what may pass and not what is final, and use flags that wsss has.
func TestManifests(t *testing.T) {
	flags := commandFlags(t)
	read := func(name string) map[string]any {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join("cluster", name))
		if err != nil {
			t.Fatal(err)
		}
		d := yaml.NewDecoder(bytes.NewReader(raw))
		var m map[string]any
		if err := d.Decode(&m); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
			t.Fatalf("%s: more than one document (%v)", name, err)
		}
		return m
	}
	at := func(m any, path ...any) any {
		t.Helper()
		for _, step := range path {
			switch s := step.(type) {
			case string:
				m = m.(map[string]any)[s]
			case int:
				m = m.([]any)[s]
			}
			if m == nil {
				t.Fatalf("no %v", path)
			}
		}
		return m
	}
	check := func(where string, args any) {
		t.Helper()
		words := args.([]any)
		for _, w := range words[1:] {
			name, _, _ := strings.Cut(strings.TrimLeft(fmt.Sprint(w), "-"), "=")
			if !slices.Contains(flags[fmt.Sprint(words[0])], name) {
				t.Errorf("%s: wsss %v has no flag -%s", where, words[0], name)
			}
		}
	}
	job := read("job.yaml")
	spec := at(job, "spec")
	pod := at(spec, "template", "spec")
	if at(job, "apiVersion") != "batch/v1" || at(job, "kind") != "Job" || at(spec, "completionMode") != "Indexed" || at(pod, "restartPolicy") != "Never" {
		t.Error("job.yaml: not an Indexed Job whose pods are not restarted, as podFailurePolicy needs")
	}
	if got := fmt.Sprint(at(spec, "podFailurePolicy", "rules", 0, "onExitCodes", "values")); got != "[2 3 5]" {
		t.Errorf("job.yaml: final exit codes %s", got)
	}
	if at(spec, "podFailurePolicy", "rules", 0, "onExitCodes", "containerName") != at(pod, "containers", 0, "name") {
		t.Error("job.yaml: the rule is about another container")
	}
	check("job.yaml", at(pod, "containers", 0, "args"))
	argo := read("argo.yaml")
	if at(argo, "apiVersion") != "argoproj.io/v1alpha1" || at(argo, "kind") != "Workflow" {
		t.Error("argo.yaml: not a Workflow")
	}
	names := map[string]bool{}
	for _, one := range at(argo, "spec", "templates").([]any) {
		names[fmt.Sprint(at(one, "name"))] = true
		if c, ok := one.(map[string]any)["container"]; ok {
			check("argo.yaml", at(c, "args"))
		}
	}
	for _, step := range at(argo, "spec", "templates", 0, "steps").([]any) {
		if name := fmt.Sprint(at(step, 0, "template")); !names[name] {
			t.Errorf("argo.yaml: there is no template %s", name)
		}
	}
	for _, name := range []string{"gen.sh", "ray_gen.py"} {
		raw, err := os.ReadFile(filepath.Join("cluster", name))
		if err != nil || !bytes.Contains(raw, []byte("-job")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// commandFlags are the flags of gen and eval, as their sources define them.
func commandFlags(t *testing.T) map[string][]string {
	t.Helper()
	define := regexp.MustCompile(`f\.(?:\w+Var|Var|String|Bool|Int|Duration|Float64|Func)\((?:&[\w.]+, )?"([a-z-]+)"`)
	of := func(files ...string) (list []string) {
		for _, name := range files {
			raw, err := os.ReadFile(filepath.Join("..", "cmd", "wsss", name))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range define.FindAllSubmatch(raw, -1) {
				list = append(list, string(m[1]))
			}
		}
		return list
	}
	return map[string][]string{"gen": of("flags.go", "gen.go"), "eval": of("flags.go", "eval.go")}
}
