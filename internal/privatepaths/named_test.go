// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// TestPlanOfNamed: data that private configuration names comes along, whoever owns it; what is a secret of the host
// or a log does not, and what lies below /etc is seen anyway.
func TestPlanOfNamed(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile: bareUnit,
		"/etc/d/sites/default": "server {\n\troot /var/www/html;\n\t# root /srv/commented;\n" +
			"\tkey \"/srv/keys/site.key\"; include /etc/public.conf;\n}\n",
		"/etc/d/d.conf": "data_directory = '/var/lib/elsewhere/main/'\t\t# not /srv/behind\nlog=/var/log/others/x.log\n" +
			"; /srv/commented\nlist=/srv/a,/srv/b:/srv/absent\ndb /var/lib/dpkg\nall /var/lib\nlogs /var/log\n" +
			"key_file = /etc/keys/d.key\nssl = /etc/ssl/private/ssl-cert-snakeoil.key\nsocket=/run/d.sock\nurl=http://srv/x\n",
		"/etc/d/old.conf~":     "/srv/commented\n",
		"/etc/apparmor.d/d":    "/srv/commented r,\n",
		"/etc/d/dangling.conf": "table /etc/dangling\n", "/etc/dangling": "-> ../proc/none",
		"/etc/d/binary":       "\x00 /srv/commented\n",
		"/var/www/html/index": "hello", "/var/lib/elsewhere/main/data": "data", "/srv/commented": "", "/srv/behind": "",
		"/srv/keys/site.key": "secret", "/etc/public.conf": "", "/var/log/others/x.log": "", "/srv/a/": "", "/srv/b": "",
		"/var/lib/dpkg/status": "", "/etc/keys/d.key": "secret", "/etc/ssl/private/ssl-cert-snakeoil.key": "secret",
		"/etc/ssl/certs/ssl-cert-snakeoil.pem": "public",
	}, hosttest.Package("d", "", unitFile, "/etc/d/", "/etc/apparmor.d/d"),
		hosttest.Package("other", "", "/var/www/", "/var/www/html/"))
	h.close("/srv/keys/site.key", "/etc/keys/d.key", "/etc/ssl/private/ssl-cert-snakeoil.key")
	checkPlan(t, h, nil, []string{
		"/etc/apparmor.d/d package:d", "/etc/d package:d",
		"/etc/ssl/certs/ssl-cert-snakeoil.pem named:/etc/d/d.conf:9",
		"/etc/ssl/private/ssl-cert-snakeoil.key named:/etc/d/d.conf:9",
		"/srv/a named:/etc/d/d.conf:4", "/srv/b named:/etc/d/d.conf:4",
		"/var/lib/elsewhere/main named:/etc/d/d.conf:1",
		"/var/www/html named:/etc/d/sites/default:2",
	})
	plan, err := h.Plan(context.Background(), []*unitfile.Unit{h.unit()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Left{
		{"/etc/keys/d.key", "/etc/d/d.conf:8", "a secret of the host"},
		{"/srv/keys/site.key", "/etc/d/sites/default:4", "a secret of the host"},
	}
	if !slices.Equal(plan.Left, want) {
		t.Errorf("left to the administrator:\n%q\nwant\n%q", plan.Left, want)
	}
}

// TestPlanOfSharedDirectories: a directive that names where everybody has their data, or what is the host's, brings
// none of it along.
func TestPlanOfSharedDirectories(t *testing.T) {
	for _, dir := range []string{
		"/var", "/var/lib", "/var/lib/", "/var/cache", "/var/log", "/var/spool", "/var/lib/libvirt",
		"/var/lib/libvirt/filesystems", "/var/lib/dpkg", "/var/lib/dnf", "/var/lib/selinux", "/var/tmp", "/srv", "/etc",
	} {
		h := newHost(t, map[string]string{
			unitFile: "[Service]\nReadWritePaths=" + dir + " -" + dir + "\n", "/etc/d/d.conf": "a=" + dir + "\n", "/etc/x": "",
			"/var/lib/x/data": "", "/var/lib/libvirt/filesystems/a/b": "", "/var/lib/dpkg/status": "", "/srv/x": "",
			"/var/lib/dnf/history.sqlite": "", "/var/lib/selinux/targeted/x": "",
			"/var/cache/x": "", "/var/log/x": "", "/var/spool/x": "", "/var/tmp/x": "",
		}, hosttest.Package("d", "", unitFile, "/etc/d/"))
		checkPlan(t, h, nil, []string{"/etc/d package:d"})
	}
}

// TestPlanOfNamedTooMuch: a name in a configuration does not make create copy a file server.
func TestPlanOfNamedTooMuch(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile: bareUnit, "/etc/d/d.conf": "a=/srv/big\nb=/srv/small\n", "/srv/big/hole": "", "/srv/small/x": "",
	}, hosttest.Package("d", "", unitFile, "/etc/d/"))
	if err := os.Truncate(h.Root+"/srv/big/hole", maxNamedBytes+1); err != nil {
		t.Fatal(err)
	}
	plan, err := h.Plan(context.Background(), []*unitfile.Unit{h.unit()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Left) != 1 || plan.Left[0].Path != "/srv/big" || !strings.Contains(plan.Left[0].Why, "too much") {
		t.Errorf("left is %q", plan.Left)
	}
	private := fmt.Sprint(plan.Private)
	if !strings.Contains(private, "/srv/small") || strings.Contains(private, "/srv/big") {
		t.Errorf("private is %s", private)
	}
}

// TestPlanOfMovedData: where a private path is a link on the host, what it leads to comes along.
func TestPlanOfMovedData(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile: "[Service]\nStateDirectory=state\n", "/var/lib/d": "-> ../../data/d", "/data/d/table": "data",
		"/var/lib/state": "-> ../../data/state", "/data/state/x": "",
		"/var/lib/d2/sub": "-> ../../../data/sub", "/data/sub/x": "",
		"/var/lib/d2/program": "-> ../../../usr/bin/x", "/usr/bin/x": "", "/var/lib/d2/absent": "-> ../../../data/absent",
		"/etc/d/site": "-> ../../srv/site.conf", "/srv/site.conf": "", "/etc/d/key": "-> ../../srv/key", "/srv/key": "secret",
	}, hosttest.Package("d", "", unitFile, "/var/lib/d/", "/var/lib/d2/", "/etc/d/"))
	h.close("/data/d", "/srv/key")
	checkPlan(t, h, nil, []string{
		"/data/d link:/var/lib/d", "/data/state link:/var/lib/state", "/data/sub link:/var/lib/d2", "/etc/d package:d",
		"/srv/site.conf link:/etc/d", "/var/lib/d package:d", "/var/lib/d2 package:d",
		"/var/lib/state unit:d.service/StateDirectory",
	})
}

// FuzzNamedPath: whatever the configuration, what is found lies where services have their data.
func FuzzNamedPath(f *testing.F) {
	f.Add("root /var/www/html; # comment")
	f.Add("'/etc/x'=/srv/y,/srv/../etc/shadow")
	f.Fuzz(func(t *testing.T, line string) {
		for _, match := range namedPath.FindAllStringSubmatch(withoutComment(line), -1) {
			if !pathname.IsBelow(match[1], "/etc", "/var", "/srv") || strings.ContainsAny(match[1], " \n\x00") {
				t.Errorf("%q of %q", match[1], line)
			}
		}
	})
}
