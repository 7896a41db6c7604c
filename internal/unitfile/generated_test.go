// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestGeneratedUnits: a unit that only a generator makes belongs to what it is made from, has drop-ins as any other,
// and gives way to a file of its name. One that runs a container is none.
func TestGeneratedUnits(t *testing.T) {
	const late = "/run/systemd/generator.late/"
	host := Root(hosttest.Root(t, map[string]string{
		late + "d.service":                       "[Unit]\nSourcePath=/etc/init.d/d\n[Service]\nType=forking\nNice=1\n",
		"/etc/systemd/system/d.service.d/a.conf": "[Service]\nNice=2\n",
		"/run/systemd/generator/none.service":    "[Service]\nType=oneshot\n",
		"/run/systemd/generator/web@box.service": "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/box.sandbox\n",
		late + "filed.service":                   "[Unit]\nSourcePath=/etc/init.d/filed\n",
		"/usr/lib/systemd/system/filed.service":  "[Service]\n",
		"/run/systemd/generator/empty.service":   "",
		"/run/systemd/system/made.service":       "[Service]\nNice=3\n",
		"/run/systemd/system/filed.service":      "[Service]\nNice=3\n",
	}))
	u := findUnit(t, host, "d")
	if u.Files[0] != "/etc/init.d/d" || strings.Join(u.Words("Nice"), " ") != "1 2" || u.Generated() == "" {
		t.Errorf("got %+v", u)
	}
	if shipped, err := host.AsShipped(u); err != nil || shipped == nil || len(shipped.DropIns) > 0 {
		t.Errorf("as shipped: %+v, %v", shipped, err)
	}
	if u := findUnit(t, host, "none"); u.Files[0] != "/run/systemd/generator/none.service" {
		t.Errorf("got %+v", u)
	}
	if u := findUnit(t, host, "made"); u.Generated() == "" || strings.Join(u.Words("Nice"), " ") != "3" {
		t.Errorf("got %+v", u)
	}
	if u := findUnit(t, host, "filed"); u.Generated() != "" {
		t.Errorf("got %+v", u)
	}
	for _, name := range []string{"web@box", "empty"} {
		if u, err := host.Find(name, "box"); !errors.Is(err, ErrNoUnit) {
			t.Errorf("%s: got %+v, %v", name, u, err)
		}
	}
}

// TestScripts: on a machine where no systemd runs, its generator is run for a script that has no unit.
func TestScripts(t *testing.T) {
	if _, err := os.Stat(sysvGenerator); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root and systemd-sysv-generator")
	}
	const script = scriptDir + "/virt-sandbox-test-script"
	text := "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: virt-sandbox-test-script\n# Required-Start: $syslog\n" +
		"# Default-Start: 2 3 4 5\n# Short-Description: A test\n### END INIT INFO\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Skip(err)
	}
	defer os.Remove(script)
	u, err := Root("").Find("virt-sandbox-test-script", "box")
	if err != nil || u.Files[0] != script || !strings.Contains(u.Generated(), "ExecStart="+script+" start") {
		t.Errorf("got %+v, %v", u, err)
	}
}
