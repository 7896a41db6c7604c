// SPDX-License-Identifier: Apache-2.0

package units

import (
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Block devices are no mounts: what their nodes are called is waited for, by names as systemd-escape(1) makes them.
// What lies in a file system below /dev is a file.
func TestSources(t *testing.T) {
	s := config.New("web")
	s.Content = "/srv/web"
	for i, source := range []string{
		"/dev/vg/log", "/dev/disk/by-id/scsi-0 a%b", "/dev/shm/disk.img", "/device/x", "/images/d.raw",
		"/dev/" + strings.Repeat("x", 250), "/dev/vg/log",
	} {
		s.Disks = append(s.Disks, config.Disk{Tag: string(rune('a' + i)), Source: source, Format: config.FormatRaw})
	}
	s.Mounts = []config.Mount{{Kind: config.MountHostBind, Source: "/dev/shm", Target: "/x"}}
	mounts, devices := sources(s)
	want := []string{"/srv/web", "/dev/shm/disk.img", "/device/x", "/images/d.raw", "/dev/shm"}
	if !slices.Equal(mounts, want) {
		t.Errorf("mounts %q, want %q", mounts, want)
	}
	want = []string{"dev-vg-log.device", `dev-disk-by\x2did-scsi\x2d0\x20a\x25b.device`}
	if !slices.Equal(devices, want) {
		t.Errorf("devices %q, want %q", devices, want)
	}
}
