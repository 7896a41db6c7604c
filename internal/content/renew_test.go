// SPDX-License-Identifier: Apache-2.0

package content

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestRenew brings what virt-sandbox made itself to what it would make now, unless somebody changed it.
func TestRenew(t *testing.T) {
	const unit = "/usr/lib/systemd/system/d.service"
	const hostname, shadow = "/etc/hostname", "/etc/shadow"
	h := newHost(t, map[string]string{unit: "[Service]\nExecStart=/bin/true\n", "/etc/d/": ""})
	s := box(t, "/etc/d")
	s.Command, s.Units = nil, []string{"d.service"}
	prepare(t, h, s)
	renewed := func(dryRun bool) []string {
		t.Helper()
		changes, err := h.Renew(s, dryRun)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, c := range changes {
			lines = append(lines, c.String())
		}
		slices.Sort(lines)
		return lines
	}
	if got := renewed(false); got != nil {
		t.Errorf("of what is as it was: %q", got)
	}
	s.Name = "other"
	h.put("/etc/passwd", "root:x:0:0::/root:/bin/sh\nnew:x:7:7::/:/bin/false\n")
	edit(t, s, "/etc/hosts", "127.0.0.1 mine\n")
	want := []string{"updated " + hostname, "updated /etc/passwd", "updated " + shadow}
	before := hosttest.Snapshot(t, s.Content)
	if got := renewed(true); !slices.Equal(got, want) {
		t.Errorf("a dry run says %q, want %q", got, want)
	}
	hosttest.CheckSame(t, "a dry run", hosttest.Snapshot(t, s.Content), before)
	if got := renewed(false); !slices.Equal(got, want) {
		t.Errorf("says %q, want %q", got, want)
	}
	if got := hosttest.Reads(t, s.Content, hostname); got != "other\n" {
		t.Errorf("the name is %q", got)
	}
	if info, err := os.Stat(s.Content + shadow); err != nil || info.Mode().Perm() != 0o600 ||
		!strings.Contains(hosttest.Reads(t, s.Content, shadow), "new:*:") {
		t.Errorf("%v, %v: %s", info.Mode(), err, hosttest.Reads(t, s.Content, shadow))
	}
	edit(t, s, hostname, "mine\n")
	s.Name = "third"
	if got := renewed(false); got != nil {
		t.Errorf("of what was changed: %q", got)
	}
	for _, dir := range []string{"/etc/systemd/system/d.service.d/81", "/etc/systemd/system/reboot.target.wants/d"} {
		if err := os.RemoveAll(filepath.Dir(s.Content + dir)); err != nil {
			t.Fatal(err)
		}
	}
	if got := renewed(false); got != nil {
		t.Errorf("of what was removed: %q", got)
	}
}
