package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"

	"wsss/checkpoints/files"
	"wsss/checkpoints/files/lock"
)

// serve starts a program, or the one of this name in PATH, on a free port
// of this machine, and skips the test where there is none.
func serve(t *testing.T, program, name string, args func(port string) []string, env ...string) (host string) {
	t.Helper()
	if program == "" {
		var err error
		if program, err = exec.LookPath(name); err != nil {
			t.Skipf("no %s in PATH, and no variable names one (docs/environment.md)", name)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(host)
	var said bytes.Buffer
	cmd := exec.Command(program, args(port)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = t.TempDir(), append(os.Environ(), env...), &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", host); err == nil {
			c.Close()
			return host
		}
	}
	cmd.Process.Kill()
	cmd.Wait()
	t.Fatalf("%s does not listen: %s", program, &said)
	return ""
}

// TestServerS3: versitygw, which keeps a bucket in a folder.
func TestServerS3(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	host := serve(t, os.Getenv("WSSS_VERSITYGW"), "versitygw", func(port string) []string { return []string{"--port", "127.0.0.1:" + port, "--quiet", "posix", root} },
		"ROOT_ACCESS_KEY=tests", "ROOT_SECRET_KEY=only-on-loopback")
	t.Setenv("AWS_ACCESS_KEY_ID", "tests")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "only-on-loopback")
	tryServer(t, "s3", "photos", "endpoint=http://"+host+"&use_path_style=true&region=us-east-1")
}

// TestServerGS: fake-gcs-server.
func TestServerGS(t *testing.T) {
	host := serve(t, os.Getenv("WSSS_FAKE_GCS"), "fake-gcs-server", func(port string) []string {
		return []string{"-scheme", "http", "-host", "127.0.0.1", "-port", port, "-backend", "memory", "-public-host", "127.0.0.1:" + port, "-external-url", "http://127.0.0.1:" + port}
	})
	t.Setenv("STORAGE_EMULATOR_HOST", host)
	r, err := http.Post("http://"+host+"/storage/v1/b?project=tests", "application/json", strings.NewReader(`{"name":"photos"}`))
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatal(r, err)
	}
	r.Body.Close()
	tryServer(t, "gs", "photos", "")
}

// TestServerAzure: Azurite.
func TestServerAzure(t *testing.T) {
	host := serve(t, os.Getenv("WSSS_AZURITE"), "azurite-blob", func(port string) []string {
		return []string{"--silent", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--blobHost", "127.0.0.1", "--blobPort", port}
	}, "AZURITE_ACCOUNTS=tests:b25seS1vbi1sb29wYmFjaw==")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "tests")
	t.Setenv("AZURE_STORAGE_KEY", "b25seS1vbi1sb29wYmFjaw==") // "only-on-loopback"
	key, err := azblob.NewSharedKeyCredential("tests", "b25seS1vbi1sb29wYmFjaw==")
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential("http://"+host+"/tests", key, nil)
	if err == nil {
		_, err = client.CreateContainer(context.Background(), "photos", nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	tryServer(t, "azblob", "photos", "domain="+host+"&protocol=http&localemu=true&storage_account=tests")
}

// tryServer does all that wsss asks of a store.
func tryServer(t *testing.T, scheme, bucket, options string) {
	address := func(bucket, prefix string) string { return scheme + "://" + bucket + "/" + prefix + "?" + options }
	root, err := files.Mount("out", address(bucket, "a b/run"), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Mount("out", address("no-such-bucket", "x"), false); err == nil || !strings.Contains(err.Error(), "no-such-bucket") {
		t.Errorf("a bucket that is not there: %v", err)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than a part of an upload
	write := func(name string, raw []byte) {
		t.Helper()
		if err := files.WriteAtomic(filepath.Join(root, name), func(w io.Writer) error { _, err := w.Write(raw); return err }); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []struct {
		name string
		raw  []byte
	}{{"sub/ä%2E b.png", []byte("one")}, {"big", big}, {"empty", nil}, {"sub/x.json", []byte("{}")}, {"sub/x.json", []byte("[]")}} {
		write(f.name, f.raw)
		raw, err := files.ReadFile(filepath.Join(root, f.name))
		info, err2 := files.Stat(filepath.Join(root, f.name))
		if err != nil || err2 != nil || !bytes.Equal(raw, f.raw) || info.Size() != int64(len(f.raw)) {
			t.Errorf("%s: %d bytes, want %d: %v %v", f.name, len(raw), len(f.raw), err, err2)
		}
	}
	fault := errors.New("stopped")
	if err := files.WriteAtomic(filepath.Join(root, "half"), func(w io.Writer) error { w.Write(big); return fault }); !errors.Is(err, fault) || files.Exists(filepath.Join(root, "half")) {
		t.Errorf("a write that failed: %v", err)
	}
	if _, err := files.ReadFile(filepath.Join(root, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	var names []string
	err = files.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if want := "[big empty sub/x.json sub/ä%2E b.png]"; err != nil || fmt.Sprint(names) != want {
		t.Errorf("%v %v, want %s", names, err, want)
	}
	for round := range 20 { // a lease is made by one
		var made atomic.Int32
		var all sync.WaitGroup
		for k := range 8 {
			all.Go(func() {
				err := files.CreateNew(filepath.Join(root, "leases", fmt.Sprint(round)), fmt.Append(nil, k))
				if err == nil {
					made.Add(1)
				} else if !errors.Is(err, fs.ErrExist) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 {
			t.Errorf("round %d: made by %d", round, made.Load())
		}
	}
	l, err := lock.Acquire(root, "train")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock.Acquire(root, "gen"); !errors.As(err, new(*lock.HeldError)) {
		t.Errorf("a second writer: %v", err)
	}
	l.Release()
	if now, err := files.Clock(root); err != nil || time.Since(now).Abs() > time.Hour {
		t.Errorf("its clock says %v, %v", now, err)
	}
	if err := files.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if files.Exists(root) {
		t.Error("something is left")
	}
}
