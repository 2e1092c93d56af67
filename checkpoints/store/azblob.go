//go:build !noazblob

package store

import _ "gocloud.dev/blob/azureblob" // azblob://

func init() {
	Register("azblob", Driver{Open: byURL("azblob"), Options: []string{"storage_account", "domain", "protocol", "cdn", "localemu"}})
}
