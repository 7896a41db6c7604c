// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestFindByLinks: a link inside the unit path is another name of the unit of that name, wherever that lies; a link
// out of it gives the file its own name.
func TestFindByLinks(t *testing.T) {
	const service = "[Service]\nExecStart=/usr/sbin/d\n"
	const install = "[Install]\nAlias=installed.service no-unit other.socket t.service\n"
	host := Root(hosttest.Root(t, map[string]string{
		"/opt/acme/t.service":                 service,
		"/etc/systemd/system/t.service":       "-> /opt/acme/t.service",
		"/opt/acme/other-name.service":        service,
		"/etc/systemd/system/own.service":     "-> ../../../opt/acme/other-name.service",
		"/usr/lib/systemd/system/d.service":   service + install,
		"/etc/systemd/system/d.service":       service + install,
		"/etc/systemd/system/a.service":       "-> /usr/lib/systemd/system/d.service",
		"/usr/lib/systemd/system/b.service":   "-> d.service",
		"/usr/lib/systemd/system/i@.service":  service,
		"/usr/lib/systemd/system/ai@.service": "-> i@.service",
		"/etc/systemd/system/x@one.service":   "-> /usr/lib/systemd/system/i@.service",
		"/etc/systemd/system/y@two.service":   "-> /usr/lib/systemd/system/i@.service",
		"/etc/systemd/system/moved.service":   "-> /usr/lib/systemd/system/t.service",
		"/etc/systemd/system/nowhere.service": "-> /usr/lib/systemd/system/gone.service",
	}))
	const etc, lib = "/etc/systemd/system/", "/usr/lib/systemd/system/"
	for typed, want := range map[string]string{
		"t":        "t.service(moved.service) /opt/acme/t.service",
		"moved":    "t.service(moved.service) /opt/acme/t.service",
		"own":      "own.service() /opt/acme/other-name.service",
		"a":        "d.service(a.service b.service installed.service) " + etc + "d.service " + lib + "d.service",
		"b":        "d.service(a.service b.service installed.service) " + etc + "d.service " + lib + "d.service",
		"i@one":    "i@one.service(ai@one.service x@one.service) " + lib + "i@.service",
		"ai@three": "i@three.service(ai@three.service) " + lib + "i@.service",
	} {
		u := findUnit(t, host, typed)
		got := u.Name + "(" + strings.Join(u.Aliases, " ") + ") " + strings.Join(u.Files, " ")
		if got != want {
			t.Errorf("%s: got %s, want %s", typed, got, want)
		}
	}
}

// TestDropInHierarchy: a unit has the drop-ins of all its names, of their prefixes and of its type; one that cannot be
// read is as if it were not there.
func TestDropInHierarchy(t *testing.T) {
	const etc, lib = "/etc/systemd/system/", "/usr/lib/systemd/system/"
	host := Root(hosttest.Root(t, map[string]string{
		lib + "a-b@.service":              "[Service]\nReadWritePaths=/unit\n",
		lib + "alias@.service":            "-> a-b@.service",
		lib + "service.d/10.conf":         "[Service]\nReadWritePaths=/type\n",
		lib + "a-.service.d/20.conf":      "[Service]\nReadWritePaths=/prefix-of-the-template\n",
		lib + "a-@.service.d/30.conf":     "[Service]\nReadWritePaths=/prefix\n",
		lib + "a-@x.service.d/30.conf":    "[Service]\nReadWritePaths=/prefix-of-the-instance\n",
		lib + "a-b@x.service.d/40.conf":   "[Service]\nReadWritePaths=/instance\n",
		etc + "a-b@.service.d/40.conf":    "[Service]\nReadWritePaths=/administrator\n",
		lib + "alias@x.service.d/50.conf": "[Service]\nReadWritePaths=/alias\n[Unit\nWants=never.service\n",
		lib + "a-b@x.service.d/60.conf":   "-> /nowhere",
		lib + "a-b@x.service.d/70.conf":   "[Other]\nReadWritePaths=/wrong-section\nstray\n",
	}))
	want := []string{
		"/unit", "/type", "/prefix-of-the-template", "/prefix-of-the-instance", "/administrator", "/alias",
	}
	u := findUnit(t, host, "a-b@x")
	if got := u.Words("ReadWritePaths"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := u.Words("Wants"); len(got) > 0 {
		t.Errorf("what systemd does not read: %q", got)
	}
}

// TestSpecifiers: those of units that name paths, as systemd expands them.
func TestSpecifiers(t *testing.T) {
	host := Root(hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/x-y@.service": "[Service]\nKey=%i %I %j %J %f %P %y %Y %d %h %%\n",
	}))
	want := []string{
		`a-b\x2dc`, "a/b-c", "y", "y", "/a/b-c", "x/y", "/usr/lib/systemd/system/x-y@.service", "/usr/lib/systemd/system",
		`/run/credentials/x-y@a-b\x2dc.service`, "/root", "%",
	}
	if got := findUnit(t, host, `x-y@a-b\x2dc`).Words("Key"); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
