package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"regexp"
	"time"

	"gocloud.dev/gcerrors"

	"wsss/checkpoints/files"
)

// An operation is tried so often, with pauses that double from pause to at most
// longest, drawn at random between half and all of it. It has failed where no
// byte comes or goes for stall.
var (
	attempts = 6
	pause    = 200 * time.Millisecond
	longest  = 5 * time.Second
	stall    = time.Minute
)

// try does an operation, again where the store may yet do it. The error names
// the file.
func (s *store) try(what, name string, do func(ctx context.Context) error) error {
	wait := pause
	for n := 1; ; n++ {
		err := once(do)
		if err == nil {
			return nil
		}
		if n == attempts || !passing(err) {
			if n > 1 {
				err = fmt.Errorf("tried %d times: %w", n, err)
			}
			return s.fault(what, name, err)
		}
		time.Sleep(wait/2 + rand.N(wait/2+1))
		wait = min(2*wait, longest)
	}
}

// errStalled is why an operation was given up that did nothing for a while.
var errStalled = errors.New("the store says nothing")

// once does an operation under a watchdog, which the operation's context knows.
func once(do func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	dog := time.AfterFunc(stall, func() { cancel(fmt.Errorf("%w for %v", errStalled, stall)) })
	defer dog.Stop()
	err := do(context.WithValue(ctx, dogKey{}, dog))
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	return err
}

type dogKey struct{}

// alive tells the watchdog of an operation that bytes flow.
func alive(ctx context.Context) {
	if dog, ok := ctx.Value(dogKey{}).(*time.Timer); ok {
		dog.Reset(stall)
	}
}

// lively is a reader that tells of its bytes.
type lively struct {
	ctx context.Context
	io.Reader
}

func (l lively) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if n > 0 {
		alive(l.ctx)
	}
	return n, err
}

// passing tells whether an error may be gone at the next attempt.
func passing(err error) bool {
	if errors.Is(err, errStalled) || errors.Is(err, errDamaged) {
		return true
	}
	if codeOf(err) == skewed { // the provider's library has learnt by how much, and signs the next attempt accordingly
		return true
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound, gcerrors.AlreadyExists, gcerrors.PermissionDenied, gcerrors.FailedPrecondition,
		gcerrors.InvalidArgument, gcerrors.Unimplemented, gcerrors.Canceled:
		return false
	}
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*fs.PathError)) { // of this machine's disk
		return false
	}
	switch status := statusOf(err); {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout,
		status == http.StatusConflict: // another writes the same object at this moment
		return true
	case status == http.StatusInsufficientStorage:
		return false
	case status >= 400 && status < 500:
		return false
	}
	return true
}

// statusOf is the HTTP status in an error, 0 where there is none.
func statusOf(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// codeOf is S3's name for an error, "" for none.
func codeOf(err error) string {
	var c interface{ ErrorCode() string }
	if errors.As(err, &c) {
		return c.ErrorCode()
	}
	return ""
}

// skewed is S3's error where a request was signed by a clock that is off.
const skewed = "RequestTimeTooSkewed"

// meanings say what a user has to look at, by S3's name for an error.
var meanings = map[string]string{
	"SignatureDoesNotMatch":        "the store does not take these credentials",
	"InvalidAccessKeyId":           "the store does not take these credentials",
	"InvalidToken":                 "the store does not take these credentials",
	"ExpiredToken":                 "these credentials have expired",
	"AuthorizationHeaderMalformed": "the bucket is in another region than the address says (region=…)",
	"PermanentRedirect":            "the bucket is in another region than the address says (region=…)",
	skewed:                         "the clock of this machine is off",
}

// fault is an error of the store as a user reads it.
func (s *store) fault(what, name string, err error) error {
	where := files.Address(name)
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return &fs.PathError{Op: what, Path: where, Err: fs.ErrNotExist}
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return &fs.PathError{Op: what, Path: where, Err: fs.ErrExist}
	case gcerrors.PermissionDenied:
		err = fmt.Errorf("%w: these credentials may not do that (%w)", fs.ErrPermission, err)
	}
	if meaning, known := meanings[codeOf(err)]; known {
		err = fmt.Errorf("%s (%w)", meaning, err)
	}
	return &storeError{what, where, err}
}

// storeError is an error of an operation on a file.
type storeError struct {
	what, where string
	err         error
}

// secrets are what of an address in an error's text nobody else should read.
var secrets = regexp.MustCompile(`(?i)\b(sig|signature|[a-z-]*token|[a-z-]*credential|[a-z-]*signature|[a-z]*secret[a-z]*|password|key)=[^&\s"']+`)

func (e *storeError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.where, e.what, secrets.ReplaceAllString(e.err.Error(), "$1=…"))
}

func (e *storeError) Unwrap() error { return e.err }

// Temporary tells whether the same call may succeed at another time.
func (e *storeError) Temporary() bool { return passing(e.err) }

// version is a store's name for the content of a file.
type version string

// Changed is the version as a number.
func (v version) Changed() int64 {
	h := fnv.New64a()
	h.Write([]byte(v))
	return int64(h.Sum64() >> 32) // read as a time it is of 1970
}
