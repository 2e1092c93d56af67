//go:build !nos3

package store

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/aws"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
)

func init() {
	Register("s3", Driver{Open: openS3, Options: []string{
		"region", "endpoint", "use_path_style", "disable_https", "hostname_immutable", "profile", "role", "anonymous", "dualstack", "fips",
		"request_checksum_calculation", "response_checksum_validation",
	}})
}

// openS3 opens a bucket with the provider's own chain of credentials. The
// provider's library logs nothing: errors say what a user has to know.
func openS3(ctx context.Context, name string, q url.Values) (*blob.Bucket, error) {
	is := func(key string) (bool, error) {
		text := q.Get(key)
		q.Del(key)
		if text == "" {
			return false, nil
		}
		v, err := strconv.ParseBool(text)
		if err != nil {
			return false, fmt.Errorf("%s=%s: allowed are true, false", key, text)
		}
		return v, nil
	}
	q = clone(q)
	pathStyle, err := is("use_path_style")
	if err != nil {
		return nil, err
	}
	plain, err := is("disable_https")
	if err != nil {
		return nil, err
	}
	cfg, err := aws.V2ConfigFromURLParams(ctx, q)
	if err != nil {
		return nil, err
	}
	cfg.Logger = logging.Nop{}
	cfg.Retryer = func() sdk.Retryer { return sdk.NopRetryer{} } // tried again by us
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = pathStyle
		o.EndpointOptions.DisableHTTPS = plain
	})
	return s3blob.OpenBucket(ctx, client, name, nil)
}

func clone(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = v
	}
	return out
}
