// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"os"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// TestPlanUpgrade finds what new versions need, and none of what is the host's own.
func TestPlanUpgrade(t *testing.T) {
	h := newHost(t, map[string]string{
		"/usr/lib/systemd/system/d.service":       "[Service]\nExecStart=/bin/true\nUser=svc\n",
		"/etc/systemd/system/d.service.d/my.conf": "[Service]\nEnvironmentFile=/etc/mine/env\nStateDirectory=mine\n",
		"/etc/mine/env": "SECRET=1\n", "/etc/d/": "", "/etc/ssl/key": "secret", "/etc/d/key": "-> ../ssl/key",
	})
	h.close("/etc/ssl/key")
	if err := os.Mkdir(h.Root+"/var/lib/data", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(h.Root+"/var/lib/data", hosttest.ServiceUID(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	h.Packages = []pkgdb.Database{hosttest.Packages{hosttest.Package("d", "d", "/usr/lib/systemd/system/d.service",
		"/etc/d/")}}
	s := config.New("box")
	s.Units = []string{"d.service"}
	s.Private = []config.PrivatePath{{Path: "/etc/d", Origin: "package:d"}}
	plan := func() []string {
		t.Helper()
		private, err := h.PlanUpgrade(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, p := range private {
			lines = append(lines, p.Origin+" "+p.Path)
		}
		return lines
	}
	if got := plan(); got != nil {
		t.Errorf("without a new version: %q", got)
	}
	h.add(map[string]string{"/usr/lib/systemd/system/d.service": "[Service]\nExecStart=/bin/true\nUser=svc\n" +
		"StateDirectory=new\nEnvironmentFile=-/etc/mine/env\n"})
	h.add(map[string]string{"/etc/e/": "", "/etc/f": "1"})
	h.Packages = []pkgdb.Database{hosttest.Packages{hosttest.Package("d", "d", "/usr/lib/systemd/system/d.service",
		"/etc/d/", "/etc/e/", "/etc/f")}}
	want := []string{"package:d /etc/e", "package:d /etc/f", "unit:d.service/StateDirectory /var/lib/new"}
	if got := plan(); !slices.Equal(got, want) {
		t.Errorf("with a new version: %q, want %q", got, want)
	}
}
