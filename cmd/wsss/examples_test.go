package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"wsss/checkpoints/store/storetest"
)

// example is an example of docs/cluster that is run as it stands, with a few photos.
type example struct {
	t      *testing.T
	dir    string // the folder that a task starts in, and where my.toml is
	photos string
	out    string
	want   string // labels and scores of one process
}

// newExample makes photos, a config that names them, and what one process makes of these.
func newExample(t *testing.T, more string) *example {
	dir := t.TempDir()
	x := &example{t: t, dir: filepath.Join(dir, "work"), photos: filepath.Join(dir, "photos"), out: filepath.Join(dir, "out"), want: filepath.Join(dir, "one")}
	partPhotos(t, x.photos, "a", "b", "e")
	config := fmt.Sprintf("out = %q\n[data]\nkind = \"folder\"\nroot = %q\ntrain_split = \"train\"\nval_split = \"train\"\n[gen]\nmethod = \"grabcut\"\nweak = \"boxes\"\n%s", x.out, x.photos, more)
	x.write("my.toml", config)
	run := runner(t)
	for _, command := range []string{"gen", "eval"} {
		run(exitOK, []string{command, "-quiet", "-config", filepath.Join(x.dir, "my.toml"), "-set", "out=" + x.want})
	}
	return x
}

func (x *example) write(name, text string) {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		x.t.Fatal(err)
	}
}

// program puts wsss into the working folder, and gives that a place in PATH.
func (x *example) program() (env []string) {
	self := wsssCommand(x.t).Path
	x.write("wsss", "#!/bin/sh\nWSSS_TEST_AS_COMMAND=1 exec '"+self+"' \"$@\"\n")
	for _, v := range os.Environ() {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			v = "PATH=" + x.dir + ":" + path
		}
		env = append(env, v)
	}
	return env
}

// read reads an example.
func (x *example) read(name string, into any) {
	x.t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "cluster", name))
	if err == nil {
		err = yaml.Unmarshal(raw, into)
	}
	if err != nil {
		x.t.Fatal(err)
	}
}

// labels compares what was made with the labels of one process.
func (x *example) labels(get func(name string) []byte) {
	x.t.Helper()
	for _, name := range []string{"a.png", "a.json", "b.png", "b.json", "c.png", "c.json"} {
		want, err := os.ReadFile(filepath.Join(x.want, "gen", name))
		if got := get(name); err != nil || !bytes.Equal(got, want) {
			x.t.Errorf("%s: %d bytes, those of one process are %d, or others (%v)", name, len(got), len(want), err)
		}
	}
}

// inFolder compares the labels of the folder that the config names.
func (x *example) inFolder() {
	x.t.Helper()
	x.labels(func(name string) []byte {
		raw, _ := os.ReadFile(filepath.Join(x.out, "gen", name))
		return raw
	})
}

// task is a container that is tried again until its exit code is final.
type task struct {
	args  []string
	env   []string
	final func(code int) bool
	limit int // further tries
	kill  bool
}

// run gives the exit codes of its tries.
func (x *example) run(k task) (codes []int) {
	for try := range 1 + k.limit {
		args := slices.Clone(k.args)
		for i, a := range args { // where the ConfigMap is mounted
			args[i] = strings.Replace(a, "/config/", x.dir+"/", 1)
		}
		cmd := wsssCommand(x.t, args...)
		cmd.Env = append(cmd.Env, k.env...)
		if err := cmd.Start(); err != nil {
			x.t.Error(err)
			return codes
		}
		if k.kill && try == 0 {
			cmd.Process.Kill()
		}
		cmd.Wait()
		code := cmd.ProcessState.ExitCode()
		if code < 0 {
			code = 137
		}
		if codes = append(codes, code); code == exitOK || k.final(code) {
			break
		}
	}
	return codes
}

// all runs tasks at once, and gives their last exit codes.
func (x *example) all(list []task) []int {
	last := make([]int, len(list))
	var wait sync.WaitGroup
	for i, k := range list {
		wait.Go(func() {
			codes := x.run(k)
			last[i] = codes[len(codes)-1]
			if k.kill && len(codes) < 2 {
				x.t.Errorf("a task that was killed is not tried again: %v", codes)
			}
		})
	}
	wait.Wait()
	return last
}

// kubernetesJob is what is read of job.yaml.
type kubernetesJob struct {
	Spec struct {
		Completions  int
		Limit        int `yaml:"backoffLimitPerIndex"`
		PolicyOfPods struct {
			Rules []podRule
		} `yaml:"podFailurePolicy"`
		Template struct {
			Spec struct{ Containers []struct{ Args []string } }
		}
	}
}

type podRule struct {
	Action string
	Codes  struct{ Values []int } `yaml:"onExitCodes"`
}

// TestKubernetesExample: the pods of job.yaml, one of them killed, run by their
// arguments as they stand over buckets of its names, make the labels of one process;
// with a wrong config each ends at its first try.
func TestKubernetesExample(t *testing.T) {
	x := newExample(t, "")
	photos, labels := storetest.Serve(t), storetest.Serve(t)
	photos.Bucket, labels.Bucket = "my-photos", "my-labels"
	upload(t, photos, x.photos, "train/")
	both := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/my-labels") {
			labels.ServeHTTP(w, r)
		} else {
			photos.ServeHTTP(w, r)
		}
	}))
	defer both.Close()
	var job kubernetesJob
	x.read("job.yaml", &job)
	one := task{
		args:  job.Spec.Template.Spec.Containers[0].Args,
		env:   []string{"AWS_ENDPOINT_URL=" + both.URL, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test"},
		limit: job.Spec.Limit,
		final: func(code int) bool {
			return slices.ContainsFunc(job.Spec.PolicyOfPods.Rules, func(r podRule) bool {
				return r.Action == "FailIndex" && slices.Contains(r.Codes.Values, code)
			})
		},
	}
	pods := slices.Repeat([]task{one}, job.Spec.Completions)
	pods[0].kill = true
	if codes := x.all(pods); len(codes) != 8 || slices.Max(codes) != exitOK {
		t.Errorf("exit codes %v", codes)
	}
	x.labels(func(name string) []byte { return labels.Get("run1/gen/" + name) })
	x.write("my.toml", "[gen]\nmethod = \"magic\"\n")
	if codes := x.run(one); !slices.Equal(codes, []int{exitUsage}) {
		t.Errorf("exit codes with a wrong config: %v", codes)
	}
}

// argoWorkflow is what is read of argo.yaml.
type argoWorkflow struct {
	Spec struct {
		Templates []argoTemplate
	}
}

type argoTemplate struct {
	Name  string
	Steps [][]struct {
		Template  string
		Arguments struct {
			Parameters []struct{ Name, Value string }
		}
		Sequence struct{ Count string } `yaml:"withSequence"`
	}
	Retry struct {
		Limit      string
		Expression string
	} `yaml:"retryStrategy"`
	Container struct{ Args []string }
}

// tasks are the containers of a step.
func (t argoTemplate) tasks(count int, parameters map[string]string) (list []task) {
	_, codes, _ := strings.Cut(t.Retry.Expression, "in [")
	codes, _, _ = strings.Cut(codes, "]")
	limit, _ := strconv.Atoi(t.Retry.Limit)
	for i := range count {
		k := task{args: slices.Clone(t.Container.Args), limit: limit, final: func(code int) bool {
			return slices.Contains(strings.Split(codes, ", "), strconv.Itoa(code))
		}}
		for name, value := range parameters {
			value = strings.ReplaceAll(value, "{{item}}", strconv.Itoa(i))
			for a := range k.args {
				k.args[a] = strings.ReplaceAll(k.args[a], "{{inputs.parameters."+name+"}}", value)
			}
		}
		list = append(list, k)
	}
	return list
}

// TestArgoExample: the steps of argo.yaml, run by their arguments as they stand, make the
// labels and the scores of one process.
func TestArgoExample(t *testing.T) {
	x := newExample(t, "")
	var flow argoWorkflow
	x.read("argo.yaml", &flow)
	templates := map[string]argoTemplate{}
	for _, one := range flow.Spec.Templates {
		templates[one.Name] = one
	}
	ran := 0
	for _, step := range flow.Spec.Templates[0].Steps {
		parameters := map[string]string{}
		for _, p := range step[0].Arguments.Parameters {
			parameters[p.Name] = p.Value
		}
		count, _ := strconv.Atoi(step[0].Sequence.Count)
		list := templates[step[0].Template].tasks(max(count, 1), parameters)
		list[0].kill = list[0].limit > 0
		if codes := x.all(list); slices.Max(codes) != exitOK {
			t.Fatalf("step %s: exit codes %v", step[0].Template, codes)
		}
		ran += len(list)
	}
	if ran != 8+4+1 {
		t.Errorf("%d containers ran", ran)
	}
	x.inFolder()
	row := func(out string) string {
		raw, err := os.ReadFile(filepath.Join(out, "results", "pseudo-labels.json"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(withoutTimes(t, raw), out, "")
	}
	if one, many := row(x.want), row(x.out); one != many {
		t.Errorf("of one process: %s\nof the workflow: %s", one, many)
	}
}

// TestSlurmExample: tasks of the array of gen.sh, run by a shell with Slurm's variables,
// make the labels of one process.
func TestSlurmExample(t *testing.T) {
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	x := newExample(t, "")
	script, err := filepath.Abs("../../docs/cluster/gen.sh")
	if err != nil {
		t.Fatal(err)
	}
	env := append(x.program(), "SLURM_CPUS_PER_TASK=2", "SLURM_ARRAY_JOB_ID=77")
	var wait sync.WaitGroup
	for range 3 {
		cmd := exec.Command(shell, script)
		cmd.Dir, cmd.Env = x.dir, env
		wait.Go(func() {
			if raw, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, raw)
			}
		})
	}
	wait.Wait()
	x.inFolder()
	if _, err := os.Stat(filepath.Join(x.out, "gen.jobs", "slurm-77", "plan.json")); err != nil {
		t.Error(err)
	}
}

// TestRayExample: ray_gen.py on a Ray of this machine makes the labels of one process.
// A task whose process is killed is tried again; a wrong config is final.
func TestRayExample(t *testing.T) {
	python := os.Getenv("WSSS_RAY")
	if python == "" {
		t.Skip("WSSS_RAY names no Python with Ray: `make ray` makes one")
	}
	x := newExample(t, "")
	script, err := filepath.Abs("../../docs/cluster/ray_gen.py")
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := os.MkdirTemp("", "ray") // whose paths must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(sockets)
	env := append(x.program(), "RAY_TMPDIR="+sockets, "RAY_USAGE_STATS_ENABLED=0")
	ray := func() (code int, text string) {
		cmd := exec.Command(python, script, "3", "1")
		cmd.Dir, cmd.Env = x.dir, env
		raw, _ := cmd.CombinedOutput() // the code says it
		return cmd.ProcessState.ExitCode(), string(raw)
	}
	// The first process of all ends as if it had been killed.
	program, err := os.ReadFile(filepath.Join(x.dir, "wsss"))
	if err != nil {
		t.Fatal(err)
	}
	x.write("wsss", strings.Replace(string(program), "\n", "\nmkdir '"+x.dir+"/killed' 2>/dev/null && kill -9 $$\n", 1))
	if code, text := ray(); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, text)
	}
	if _, err := os.Stat(filepath.Join(x.dir, "killed")); err != nil {
		t.Error(err)
	}
	x.inFolder()
	x.write("my.toml", "[gen]\nmagic = true\n")
	if code, text := ray(); code != exitUsage {
		t.Errorf("exit code %d with a wrong config\n%s", code, text)
	}
}
