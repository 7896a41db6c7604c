// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// checkImages looks at the files of images and disks, and reports whether the content can be looked into. What a file
// has inside is not looked at: that may be a container's.
func checkImages(s *config.Sandbox) (findings []contentcheck.Finding, usable bool) {
	usable = true
	for _, f := range s.ImageFiles() {
		isOwn := f.Path == s.Image
		detail := ""
		info, err := os.Stat(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && isOwn && (s.Created.IsZero() || isThere(image.Temporary(f.Path))):
			// The next start makes it, or gives it its name.
			usable = false
			continue
		case errors.Is(err, fs.ErrNotExist):
			detail = f.Use + " is gone; is its file system mounted?"
		case err != nil:
			detail = f.Use + " cannot be looked at: " + err.Error()
		case isOwn && !info.Mode().IsRegular():
			detail = f.Use + " is not a regular file"
		case isOwn && f.Format == config.FormatRaw && s.ImageSize > 0 && info.Size() < int64(s.ImageSize):
			detail = fmt.Sprintf("%s has %d bytes, and image-size= is %s", f.Use, info.Size(), s.ImageSize)
		default:
			continue
		}
		findings = append(findings, contentcheck.Finding{Path: f.Path, Problem: contentcheck.ProblemImage, Detail: detail})
		usable = usable && !isOwn
	}
	return findings, usable
}

func isThere(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}
