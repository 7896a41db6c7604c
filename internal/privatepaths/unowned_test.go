// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"os"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestPlanOfNames: what maintainer scripts made has the name of the package, its source, the unit or its program, and
// is no other package's.
func TestPlanOfNames(t *testing.T) {
	d := hosttest.Package("d-server", "d-source", unitFile, "/usr/sbin/dprog")
	tree := map[string]string{
		unitFile:                "[Service]\nExecStart=-/usr/sbin/dprog --daemon\n",
		"/usr/sbin/dprog":       "",
		"/var/lib/d-server/":    "",
		"/var/lib/d-source/":    "",
		"/var/cache/dprog/":     "",
		"/var/spool/dprogd/":    "",
		"/var/log/dprog/":       "",
		"/var/log/dprog.log":    "",
		"/var/lib/dprog2/":      "",
		"/etc/dprog.conf":       "",
		"/etc/dprogd.secrets":   "",
		"/etc/default/d-server": "",
		"/srv/dprog":            "",
		"/etc/dprog.link":       "-> default/d-server",
	}
	h := newHost(t, tree, d)
	checkPlan(t, h, nil, []string{
		"/etc/default/d-server script:d-server", "/etc/dprog.conf unit:d.service/ExecStart",
		"/etc/dprogd.secrets unit:d.service/ExecStart", "/srv/dprog unit:d.service/ExecStart",
		"/var/cache/dprog unit:d.service/ExecStart", "/var/lib/d-server script:d-server",
		"/var/lib/d-source script:d-server", "/var/log/dprog unit:d.service/ExecStart",
		"/var/spool/dprogd unit:d.service/ExecStart",
	})
	other := hosttest.Package("other", "", "/var/lib/d-source/", "/var/cache/dprog/below", "/etc/dprog.conf")
	checkPlan(t, newHost(t, tree, d, other), nil, []string{
		"/etc/default/d-server script:d-server", "/etc/dprogd.secrets unit:d.service/ExecStart",
		"/srv/dprog unit:d.service/ExecStart", "/var/lib/d-server script:d-server",
		"/var/log/dprog unit:d.service/ExecStart", "/var/spool/dprogd unit:d.service/ExecStart",
	})
	interpreter := hosttest.Package("interpreter", "", "/usr/sbin/dprog")
	checkPlan(t, newHost(t, tree, hosttest.Package("d-server", "", unitFile), interpreter), nil, []string{
		"/etc/default/d-server script:d-server", "/var/lib/d-server script:d-server",
	})
}

// TestPlanOfScripts: what belongs to an account that the package's scripts or its sysusers.d add is private, whatever
// its name.
func TestPlanOfScripts(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("files are given away")
	}
	for _, c := range []struct{ name, script, sysusers string }{
		{"adduser", "adduser --system --home /var/lib/x \\\n  --group svc\n", ""},
		{"a variable", "USER=\"svc\"\nif ! getent passwd $USER; then useradd -r -d /x ${USER}; fi\n", ""},
		{"sysusers", "", "# a comment\nu svc - \"The service\" /var/lib/x\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := hosttest.Package("d", "", unitFile, "/usr/lib/sysusers.d/d.conf")
			d.Scripts = []string{c.script}
			h := newHost(t, map[string]string{
				unitFile: bareUnit, "/usr/lib/sysusers.d/d.conf": c.sysusers, "/var/lib/state/": "", "/var/lib/others/": "",
				"/var/lib/packaged/": "",
			}, d, hosttest.Package("other", "", "/var/lib/packaged/"))
			for _, p := range []string{"/var/lib/state", "/var/lib/packaged"} {
				if err := os.Chown(h.Root+p, hosttest.ServiceUID(), 0); err != nil {
					t.Fatal(err)
				}
			}
			checkPlan(t, h, nil, []string{"/var/lib/state script:d"})
		})
	}
}

func TestScriptAccounts(t *testing.T) {
	for script, want := range map[string][]string{
		"adduser --quiet --system --no-create-home --home /nonexistent --group vcache": {"/nonexistent", "vcache"},
		"adduser $quiet postgres ssl-cert":                                             nil,
		"for u in one two; do adduser --system --ingroup daemons $u; done":             {"one", "two"},
		"test -x x || /usr/sbin/groupadd -g 27 -o -r mysql >/dev/null 2>&1 || :":       {"mysql"},
		"useradd -c 'The web' -u 48 apache # and so on":                                {"The web", "48", "apache"},
		"# adduser --system no":                                                        nil,
		"U=${MYUSER:-svc}; addgroup --system \"$U\"":                                   {"svc"},
		"echo 'adduser'": nil,
		"adduser":        nil,
	} {
		if got := scriptAccounts(script); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
}

// FuzzScriptAccounts: any text is a script to read, and what comes out is not longer than that allows.
func FuzzScriptAccounts(f *testing.F) {
	f.Add("USER=svc\nadduser --system \\\n $USER")
	f.Add("for a in b c; do useradd \"$a\"; done; x=${y:-z}")
	f.Fuzz(func(t *testing.T, script string) {
		for _, name := range scriptAccounts(script) {
			if len(name) > len(script) {
				t.Errorf("%q of %q", name, script)
			}
		}
	})
}
