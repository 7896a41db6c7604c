// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

func TestCheckMounts(t *testing.T) {
	h := newHost(t, map[string]string{"/srv/": "", "/opt/there/": "", "/usr/there/": "", "/var/www/": "", "/etc/d/": "",
		"/etc/hosts": ""})
	cases := []struct {
		mount string
		err   string // part of the message
	}{
		{"host-bind:/srv/new=/data", ""},
		{"host-image:/opt/there=/images/a.raw", ""},
		{"host-image:/opt/new=/images/a.raw", ""},
		{"ram:/run/new=1M", ""},
		{"ram:/dev/new=1M", ""},
		{"ram:/data/new=1M", ""},
		{"ram:/etc/d/new=1M", ""}, // private
		{"host-image:/usr/new=/images/a.raw", "mount point /usr/new does not exist on the host, whose /usr containers"},
		{"host-image:/etc/new=/images/a.raw", ""},
		{"guest-bind:/srv/new=/etc/hosts", ""},
		{"guest-bind:/srv/new=/etc/new", "/etc/new, which /srv/new is to show"},
		{"guest-bind:/srv/new=/var/www", ""},
		{"guest-bind:/srv/new=/var/new", ""},
		{"guest-bind:/srv/new=/usr/there", ""},
		{"guest-bind:/srv/new=/opt/there", "/opt/there, which /srv/new is to show, is not in the container"},
		{"guest-bind:/usr/new=/var/www", "mount point /usr/new does not exist"},
		{"guest-bind:/srv/new=/nowhere", "/nowhere, which /srv/new is to show"},
	}
	for _, c := range cases {
		m, err := config.ParseMount(c.mount)
		if err != nil {
			t.Fatal(err)
		}
		s := box(t, "/etc/d")
		s.Mounts = []config.Mount{m}
		if err := h.CheckMounts(s); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %v, want %q", c.mount, err, c.err)
		}
	}
}

// The places of mounts, and what guest-binds show, are made as what they have to be; links that root inside made lead
// nowhere else.
func TestMountPoints(t *testing.T) {
	h := newHost(t, map[string]string{"/srv/": "", "/etc/d/file": "text", "/data/file": "text", "/data/dir/": ""})
	s := box(t, "/etc/d")
	for _, text := range []string{
		"host-bind:/srv/a/file=" + "/data/file", "host-bind:/srv/a/dir=/data/dir", "host-image:/srv/image=/images/a.raw",
		"guest-bind:/srv/shown/file=/etc/d/file", "guest-bind:/srv/shown/new=/var/new/deep", "ram:/var/ram=1M",
	} {
		m, err := config.ParseMount(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Mounts = append(s.Mounts, m)
	}
	prepare(t, h, s)
	for name, isDir := range map[string]bool{
		"/srv/a/file": false, "/srv/a/dir": true, "/srv/image": true, "/srv/shown/file": false, "/srv/shown/new": true,
		"/var/new/deep": true, "/var/ram": true,
	} {
		if info, err := os.Lstat(s.Content + name); err != nil || info.IsDir() != isDir || !isDir && info.Size() != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	outside := t.TempDir()
	if err := os.RemoveAll(s.Content + "/var/new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, s.Content+"/var/new"); err != nil {
		t.Fatal(err)
	}
	if err := h.Prepare(context.Background(), s, nil); err == nil || !strings.Contains(err.Error(), "make /var/new/deep") {
		t.Errorf("with a link out of the content: %v", err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("made outside: %v, %v", entries, err)
	}
}

// What units see in place of mounts that they cannot make has its places too.
func TestMountPointsOfUnits(t *testing.T) {
	h := newHost(t, map[string]string{"/usr/share/d/text": "text", unitFile: bareUnit +
		"BindPaths=/srv/a:/var/b /usr/share/d/text:/var/text\nBindReadOnlyPaths=/dev/log:/var/lib/d/dev/log\n" +
		"TemporaryFileSystem=/var/scratch /var/lib/own/tmp\n"})
	s := box(t, "/var/lib/own")
	s.Command, s.Units = nil, []string{"d.service"}
	var err error
	if s.Hardening.Capabilities, err = config.ParseCapabilities("auto -CAP_SYS_ADMIN"); err != nil {
		t.Fatal(err)
	}
	prepare(t, h, s)
	for name, isDir := range map[string]bool{
		"/srv/a": true, "/var/b": true, "/var/text": false, "/var/lib/d/dev": true, "/var/scratch": true,
		"/var/lib/own/tmp": true,
	} {
		if info, err := os.Lstat(s.Content + name); err != nil || info.IsDir() != isDir {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := os.Lstat(s.Content + "/run"); err == nil {
		t.Error("/run is in the content")
	}
}
