//go:build !nogs

package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"

	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob" // gs://
	"gocloud.dev/gcp"
)

func init() {
	Register("gs", Driver{Open: openGS, Options: []string{"anonymous", "universe_domain"}})
}

// errNoGoogle says what is missing where no credentials of Google's are found.
var errNoGoogle = errors.New("there are no credentials for Google Cloud: gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS with the path of a key file; ?anonymous=true reads a public bucket")

// openGS opens a bucket by gocloud's own address, once there are credentials:
// gocloud goes on without, and fails at each request.
func openGS(ctx context.Context, name string, q url.Values) (*blob.Bucket, error) {
	if anonymous, _ := strconv.ParseBool(q.Get("anonymous")); anonymous {
		o := gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
		return o.OpenBucketURL(ctx, addressOf("gs", name, q))
	}
	if os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		if _, err := gcp.DefaultCredentials(ctx); err != nil {
			return nil, fmt.Errorf("%w (%w)", errNoGoogle, err)
		}
	}
	return byURL("gs")(ctx, name, q)
}
