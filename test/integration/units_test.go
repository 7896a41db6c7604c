// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// installUnits installs a package with units of every kind, as a distribution would.
func installUnits(t *testing.T) {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tree")
	shell(t, "cp -a testdata/units "+tree+" && mkdir "+tree+"/DEBIAN && chmod -R go-w "+tree)
	control := "Package: virt-sandbox-test-units\nVersion: 1\nArchitecture: all\nMaintainer: virt-sandbox " +
		"<root@localhost>\nDescription: units of every kind\n"
	if err := os.WriteFile(tree+"/DEBIAN/control", []byte(control), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shell(t, "dpkg --purge virt-sandbox-test-units >/dev/null && rm -rf /etc/vst") })
	shell(t, "dpkg-deb -b --root-owner-group "+tree+" "+tree+".deb >/dev/null && dpkg -i "+tree+".deb >/dev/null")
}

func shell(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// Units of every class come up: the ways in which services get their state, fork, listen and lock themselves in.
func TestUnitClasses(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	type class struct {
		unit   string
		port   int
		answer string
	}
	// Two containers for all that can be beside each other; of one template there is one instance in each.
	for name, classes := range map[string][]class{
		"t-class": {
			{"vst-state.service", 8001, "started"},
			{"vst-forking", 8002, "forked"},
			{"vst-pre.service", 8003, "prepared"},
			{"vst-template@.service", 8005, "instance t-class"},
			{"vst-script", 8010, "from a script"},
		},
		"t-other": {
			{"vst-template@blue.service", 8005, "instance blue"},
			{"vst-dynamic.service", 8006, "dynamic"},
			{"vst-hardened.service", 8007, "hardened"},
			{"vst-config.service", 8008, "from tmpfiles"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			options := []string{"-C"}
			for _, c := range classes {
				options = append(options, "-u", c.unit)
			}
			create(t, name, options...)
			must(t, "start", name)
			for _, c := range classes {
				got := inside(t, name, fmt.Sprintf("curl -s --retry 5 --retry-connrefused --retry-delay 1 "+
					"http://localhost:%d/index.html", c.port))
				if strings.TrimSpace(got) != c.answer {
					t.Errorf("%s answers %q, want %q", c.unit, got, c.answer)
				}
			}
			remove(t, name)
		})
	}
	t.Run("vst-socket.socket", func(t *testing.T) {
		create(t, "t-class", "-C", "-u", "vst-socket.socket")
		must(t, "start", "t-class")
		if got := inside(t, "t-class", "busybox nc -w 2 127.0.0.1 8004 </dev/null"); got != "activated\n" {
			t.Errorf("answers %q", got)
		}
	})
	t.Run("a unit that stands for others", standsForOthers)
	for _, failure := range []struct{ unit, reason, journal string }{
		{"vst-fails.service", "vst-fails.service inside failed (exit-code)", "the flux capacitor is missing"},
		{"vst-vanishes.service", "vst-vanishes.service inside failed and was restarted", "status=4"},
		{"vst-needs.service", "vst-fails.service inside failed (exit-code), without which vst-needs.service does not start",
			"the flux capacitor is missing"},
		{"vst-broken.service", "vst-part@bad.service inside failed (exit-code)", "the part is missing"},
	} {
		t.Run(failure.unit, func(t *testing.T) { failsToStart(t, failure.unit, failure.reason, failure.journal) })
	}
}

// failsToStart checks that a start says what failed inside and leaves nothing running.
func failsToStart(t *testing.T, unit, reason, journal string) {
	create(t, "t-fails", "-C", "-u", unit)
	before := running(t)
	o := run(t, "start", "t-fails")
	if o.status != 1 || !strings.Contains(o.stderr, reason) || !strings.Contains(o.stderr, journal) {
		t.Errorf("start: exit status %d, stderr %q; want 1, %q and %q", o.status, o.stderr, reason, journal)
	}
	if after := running(t); after != before {
		t.Errorf("after a failed start:\n%s\nbefore:\n%s", after, before)
	}
}

// running is the part of a snapshot that a container has only while it runs; libvirt's log stays until delete.
func running(t *testing.T) string {
	var kept []string
	for _, l := range snapshot(t) {
		if !strings.HasPrefix(l, "file "+contentDir) && !strings.HasPrefix(l, "file /var/log/libvirt/") {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

// standsForOthers checks that a unit which does nothing itself is up when its parts are, and that status tells of one
// that fails later, which here does not end the container.
func standsForOthers(t *testing.T) {
	create(t, "t-whole", "-C", "-u", "vst-whole")
	edit(t, "t-whole", "restart=no", "restart=no\non-failure=ignore")
	must(t, "start", "t-whole")
	const parts = "systemctl is-active vst-whole vst-part@good"
	if got := inside(t, "t-whole", parts); got != "active\nactive\n" {
		t.Errorf("%s: %q", parts, got)
	}
	inside(t, "t-whole", "systemctl kill -s SEGV vst-part@good; "+
		"until systemctl is-failed -q vst-part@good; do sleep 0.1; done")
	out := must(t, "status", "t-whole")
	if !strings.Contains(out, "vst-part@good.service failed (failed)") || !strings.Contains(out, "Failed inside") {
		t.Errorf("status says:\n%s", out)
	}
}
