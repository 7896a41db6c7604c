// SPDX-License-Identifier: Apache-2.0

package filestate

import (
	"errors"
	"io/fs"

	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
)

// Put are the paths that the manifest of a content has: what was put there once, whether it is there yet or not.
type Put map[string]bool

// ReadPut reads them; of content that was never completed there are none.
func ReadPut(dir string) (Put, error) {
	entries, err := ReadManifest(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	put := make(Put)
	for _, e := range entries {
		put[e.Path] = true
	}
	return put, nil
}

// Below reports whether something was put at a path or below it.
func (put Put) Below(top string) bool {
	if put[top] {
		return true
	}
	for p := range put {
		if pathname.IsBelow(p, top) {
			return true
		}
	}
	return false
}
