// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Legacy unit files of the container web1.
const (
	laterText   = "[Service]\nExecStart=/usr/libexec/virt-sandbox-service-util -c lxc:/// -s web1\n"
	earlierText = "[Unit]\nReloadPropagatedFrom=httpd.service php.service\n" +
		"[Service]\nExecStart=/usr/bin/virt-sandbox-service start web1\n"
)

// TestStartsLegacy tells legacy units from ours and from an administrator's.
func TestStartsLegacy(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       bool
	}{
		{"a later one", laterText, true},
		{"an earlier one", earlierText, true},
		{"another container's", "[Service]\nExecStart=/usr/libexec/virt-sandbox-service-util -c lxc:/// -s web10\n",
			false},
		{"an administrator's, of our tool", "[Service]\nExecStart=/usr/bin/virt-sandbox-service start web1\n", false},
		{"ours, a full one",
			"[Service]\nExecStart=/usr/libexec/virt-sandbox/virt-sandbox-service-helper run web1\n", false},
		{"our stub", "[Unit]\nSourcePath=/etc/libvirt-sandbox/services/web1.sandbox\n", false},
		{"a comment", "#ExecStart=/usr/libexec/virt-sandbox-service-util -s web1\n", false},
	} {
		if got := startsLegacy(test.text, "web1"); got != test.want {
			t.Errorf("%s: %t", test.name, got)
		}
	}
}

// TestUnits finds the legacy unit files of both versions, with what they run and whether they are enabled.
func TestUnits(t *testing.T) {
	r, _ := newRemains(t)
	if found, err := r.Units(); len(found) != 0 || err != nil {
		t.Errorf("without a directory of units: %v, %v", found, err)
	}
	dir := r.Stubs.Dir() + "/"
	for name, text := range map[string]string{
		"web1_sandbox.service": laterText, "httpd@web1.service": earlierText, "sshd@web1.service": laterText,
		"virt-sandbox@web1.service":                  laterText,
		"multi-user.target.wants/httpd@web1.service": "-> " + dir + "httpd@web1.service",
		"httpd@web1.service.d/a.conf":                "",
		// What is none:
		"web10_sandbox.service": strings.ReplaceAll(laterText, "web1", "web10"), "nginx@web1.service": "[Unit]\n",
		"link@web1.service": "-> " + dir + "httpd@web1.service", "web1.service": laterText,
	} {
		put(t, dir+name, text)
	}
	found, err := r.Units()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, u := range found {
		line := u.Name() + " runs " + strings.Join(u.Inner, " ")
		if u.Enabled {
			line += ", enabled"
		}
		if u.HasDropIns() {
			line += ", with drop-ins"
		}
		got = append(got, line)
	}
	want := []string{
		"httpd@web1.service runs httpd.service php.service, enabled, with drop-ins", "sshd@web1.service runs sshd.service",
		"virt-sandbox@web1.service runs ", "web1_sandbox.service runs ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if inner := InnerUnits(found[1:]); !slices.Equal(inner, []string{"sshd.service"}) || InnerUnits(nil) != nil {
		t.Errorf("inner units %q", inner)
	}
}

// TestReplaceUnit: the stub takes the place of a legacy unit, of the same name or not, however often it is asked.
func TestReplaceUnit(t *testing.T) {
	const wants = "/etc/systemd/system/multi-user.target.wants/httpd@web1.service"
	for _, test := range []struct {
		name, unit, wantedBy string
		want                 []string
	}{
		{"the same name, enabled", "httpd@web1.service", "multi-user.target.wants/", []string{
			"/etc/systemd/system/httpd@web1.service", "/etc/systemd/system/httpd@web1.service.orig", wants,
		}},
		{"another name, enabled", "web1_sandbox.service", "default.target.wants/", []string{
			"/etc/systemd/system/httpd@web1.service", wants, "/etc/systemd/system/web1_sandbox.service.orig",
		}},
		{"another name", "web1_sandbox.service", "", []string{
			"/etc/systemd/system/httpd@web1.service", "/etc/systemd/system/web1_sandbox.service.orig",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, root := newRemains(t)
			s := config.New("web1")
			s.Units = []string{"httpd.service"}
			put(t, r.Stubs.Dir()+"/"+test.unit, laterText)
			if test.wantedBy != "" {
				put(t, r.Stubs.Dir()+"/"+test.wantedBy+test.unit, "-> "+r.Stubs.Dir()+"/"+test.unit)
			}
			// An upgrade that was killed has made the backup.
			if err := LinkBackup(r.Stubs.Dir() + "/" + test.unit); err != nil {
				t.Fatal(err)
			}
			found, err := r.Units()
			if err != nil || len(found) != 1 {
				t.Fatalf("found %v, %v", found, err)
			}
			if err := r.CheckUnit(s, found); err != nil {
				t.Fatal(err)
			}
			if err := r.ReplaceUnit(s, found[0]); err != nil {
				t.Fatal(err)
			}
			if got := listed(t, root); !slices.Equal(got, test.want) {
				t.Errorf("there are\n%q, want\n%q", got, test.want)
			}
			if !units.IsStub([]byte(text(t, r.Stubs.Path(s))), r.Configs.Store.Path("web1")) {
				t.Error("no stub is in its place")
			}
			if found, err := r.Units(); len(found) != 0 || err != nil {
				t.Errorf("legacy units are left: %v, %v", found, err)
			}
		})
	}
}

// TestReplaceUnitRefused: an administrator's unit that has the name of ours stays, and so does the legacy one.
func TestReplaceUnitRefused(t *testing.T) {
	r, _ := newRemains(t)
	s := config.New("web1")
	s.Units = []string{"httpd.service"}
	put(t, r.Stubs.Path(s), "[Service]\nExecStart=/bin/true\n")
	put(t, r.Stubs.Dir()+"/web1_sandbox.service", laterText)
	found, err := r.Units()
	if err != nil || len(found) != 1 {
		t.Fatalf("found %v, %v", found, err)
	}
	if r.CheckUnit(s, found) == nil || r.ReplaceUnit(s, found[0]) == nil {
		t.Error("an administrator's unit is replaced")
	}
	if text(t, r.Stubs.Path(s)) != "[Service]\nExecStart=/bin/true\n" || text(t, found[0].Path) != laterText {
		t.Error("a refusal changed a unit")
	}
}
