// SPDX-License-Identifier: Apache-2.0

package claims

import (
	"os"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// Unfinished lists the images that a create, clone or import has left which was killed: where create makes them, and
// wherever it noted that they are, which claims say.
func (b *Book) Unfinished(name string, claims []Claim) []string {
	var files []string
	for _, format := range []config.ImageFormat{config.FormatRaw, config.FormatQCOW2} {
		files = append(files, image.Temporary(b.root.Of(name).Image(format)))
	}
	for _, c := range claims {
		if image.IsTemporary(c.File) && !slices.Contains(files, c.File) {
			files = append(files, c.File)
		}
	}
	return slices.DeleteFunc(files, func(file string) bool {
		_, err := os.Lstat(file)
		return err != nil
	})
}

// RemoveUnfinished removes what Unfinished lists, of a sandbox without a config, and reports whether there was any.
func (b *Book) RemoveUnfinished(name string, claims []Claim) (found bool, err error) {
	for _, file := range b.Unfinished(name, claims) {
		if err := image.Remove(file); err != nil {
			return found, err
		}
		found = true
	}
	return found, nil
}
