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
	for _, m := range mounts {
		if hasOption(m.Options, "ro") == hasOption(m.Options, "rw") {
			t.Errorf("%s has options %q", m.Mountpoint, m.Options)
		}
	}
	if hasOption("rootcontext=x,rw", "ro") {
		t.Error("an option that begins like another")
	}
}

// TestIsOwn: what is not the container's own is made read-only.
func TestIsOwn(t *testing.T) {
	writable := []string{"/var", "/etc/httpd", "/srv/dumps"}
	cases := []struct {
		point string
		want  bool
	}{
		{"/var", true}, {"/var/lib", true}, {"/etc/httpd", true}, {"/etc/httpd/conf.d", true}, {"/srv/dumps", true},
		{
			"/proc",
			true,
		}, {"/proc/sys", true}, {"/sys/fs/cgroup", true}, {"/dev/pts", true}, {"/run/host", true}, {"/tmp", true},
		{"/", false}, {"/etc", false}, {"/etc/httpd2", false}, {"/variable", false}, {"/srv", false}, {"/boot", false},
		{"/usr", false}, {"/home/var", false}, {"/process", false}, {"", false},
	}
	for _, c := range cases {
		if got := isOwn(c.point, writable); got != c.want {
			t.Errorf("%q: got %t, want %t", c.point, got, c.want)
		}
	}
}
