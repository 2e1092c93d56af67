//go:build !linux

package torture

import "errors"

func mountTmpfs(string, int64) (func(), error) { return nil, errors.ErrUnsupported }
