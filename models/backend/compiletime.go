package backend

import (
	"flag"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/klog/v2"
)

// compiling is what XLA has spent on compiling in this process, nanoseconds.
var compiling atomic.Int64

// CompileTime is what XLA has spent on compiling in this process. Other engines
// spend next to nothing, which is not counted.
func CompileTime() time.Duration { return time.Duration(compiling.Load()) }

// compileTimer reads the times from go-xla's log, where alone they are said.
type compileTimer struct{}

// FilterF is klog.LogFilter's.
func (compileTimer) FilterF(format string, args []any) (string, []any) {
	if format == "Compiled in %s" && len(args) == 1 {
		if took, ok := args[0].(time.Duration); ok {
			compiling.Add(int64(took))
		}
	}
	return format, args
}

// Filter is klog.LogFilter's.
func (compileTimer) Filter(args []any) []any { return args }

// FilterS is klog.LogFilter's.
func (compileTimer) FilterS(msg string, pairs []any) (string, []any) { return msg, pairs }

func init() { klog.SetLogFilter(compileTimer{}) } // before anybody logs

// timeCompilations has go-xla log what it compiles and runs, and nobody see it:
// warnings and errors still come to stderr.
var timeCompilations = sync.OnceFunc(func() {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	klog.InitFlags(flags)
	for _, f := range [][2]string{{"legacy_stderr_threshold_behavior", "false"}, {"stderrthreshold", "WARNING"}, {"vmodule", "executable=1"}} {
		if err := flags.Set(f[0], f[1]); err != nil {
			return // another klog: times stay unknown
		}
	}
})
