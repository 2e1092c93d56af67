//go:build !nogs

package store

import _ "gocloud.dev/blob/gcsblob" // gs://

func init() {
	Register("gs", Driver{Open: byURL("gs"), Options: []string{"anonymous", "universe_domain"}})
}
