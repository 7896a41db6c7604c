// SPDX-License-Identifier: Apache-2.0

package content

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// isAfresh reports whether a file is made for each container instead of copied: of the certificate that each host makes
// for itself.
func (c *copier) isAfresh(hostPath string) bool {
	return c.whole && c.certificate != nil && privatepaths.IsSnakeoil(hostPath)
}

// fillAfresh gives a file of the host's own certificate the text of the container's.
func (c *copier) fillAfresh(to int, hostPath string, v *filestate.Version) error {
	made, err := c.certificate()
	if err != nil {
		return err
	}
	text := made.Itself
	if strings.HasSuffix(hostPath, ".key") {
		text = made.Key
	}
	if err := unix.Ftruncate(to, 0); err != nil {
		return err
	}
	if _, err := unix.Pwrite(to, text, 0); err != nil {
		return err
	}
	v.Stat.Size, v.Digest = int64(len(text)), digestOfText(string(text))
	return nil
}
