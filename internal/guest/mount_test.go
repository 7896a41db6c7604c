// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"slices"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// TestReadMounts: this process has a root, and it is mounted in one way.
func TestReadMounts(t *testing.T) {
	mounts, err := readMounts()
	if err != nil ||
		!slices.ContainsFunc(mounts, func(m *mountinfo.Info) bool { return m.Mountpoint == "/" && m.FSType != "" }) {
		t.Errorf("%v, %v", mounts, err)
	}
}
