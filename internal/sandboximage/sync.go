// SPDX-License-Identifier: Apache-2.0

package sandboximage

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// Sync reports whether all of the content reached the disk of the host, which may be full while the image is not.
func Sync(s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	return ExplainFull(s, image.Sync(s.Content))
}

// ExplainFull is image.ExplainFull for content, which need not be in an image.
func ExplainFull(s *config.Sandbox, err error) error {
	if s.Image == "" {
		return err
	}
	return image.ExplainFull(s.Image, s.ImageSize, err)
}
