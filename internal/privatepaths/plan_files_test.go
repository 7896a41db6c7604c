// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"os"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestPlanOfTmpfiles: what a package has made at boot is private.
func TestPlanOfTmpfiles(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile: bareUnit,
		"/usr/lib/tmpfiles.d/d.conf": `# d /var/lib/comment
d /var/lib/d 0755 svc svc -
D! /var/cache/d
f+ /var/log/d.log 0600
C /etc/d.conf - - - - /usr/share/d/d.conf
v /var/lib/d-volume
d /run/d
d /var/run/d
d /usr/share/d
d /var/lib/%b
e /var/tmp/d-*
L /etc/link - - - - ../x
x /var/lib/ignored
r /var/lib/removed
d /etc
d /var/lib/../../etc/shadow
d
d /var/lib/d/below
`,
		"/usr/lib/tmpfiles.d/odd name.conf": "w /run/long - - - - " + strings.Repeat("x", 1<<17) + "\nd /var/lib/odd\n",
		"/usr/lib/tmpfiles.d/others.conf":   "d /var/lib/others\n",
	}, hosttest.Package("d", "", unitFile, "/usr/lib/tmpfiles.d/d.conf", "/usr/lib/tmpfiles.d/odd name.conf",
		"/usr/lib/tmpfiles.d/absent.conf"))
	const origin = " tmpfiles:/usr/lib/tmpfiles.d/d.conf"
	checkPlan(t, h, nil, []string{
		"/etc/d.conf" + origin, "/var/cache/d" + origin, "/var/lib/d-volume" + origin, "/var/lib/d" + origin,
		`/var/lib/odd tmpfiles:/usr/lib/tmpfiles.d/odd\x20name.conf`, "/var/log/d.log" + origin,
	})
}

// TestPlanOfUsers: state that only its owner tells whose it is.
func TestPlanOfUsers(t *testing.T) {
	tree := map[string]string{
		"/var/lib/db/": "", "/var/log/db/": "", "/var/cache/db/": "", "/var/spool/db/": "", "/var/lib/db file": "",
		"/var/lib/new\nline/": "", "/var/opt/db/": "",
	}
	cases := []struct {
		name, lines string
		want        []string
	}{
		{"its user", "User=svc", []string{"/var/cache/db user:svc", "/var/lib/db user:svc", "/var/log/db user:svc",
			"/var/opt/db user:svc", "/var/spool/db user:svc"}},
		{"the last user given", "User=root\nUser=svc", []string{"/var/cache/db user:svc", "/var/lib/db user:svc",
			"/var/log/db user:svc", "/var/opt/db user:svc", "/var/spool/db user:svc"}},
		{"root owns too much to tell", "User=root", nil},
		{"a user of the moment", "User=svc\nDynamicUser=yes", nil},
		{"nobody the host knows", "User=stranger", nil},
		{"no user", "Group=svc", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, tree, hosttest.Package("d", "", unitFile))
			h.add(map[string]string{unitFile: "[Service]\n" + c.lines + "\n"})
			if os.Getuid() == 0 {
				h.add(map[string]string{"/var/lib/of-root/": ""})
			}
			for p := range tree {
				if err := os.Chown(h.Root+p, hosttest.ServiceUID(), -1); err != nil {
					t.Fatal(err)
				}
			}
			checkPlan(t, h, nil, c.want)
		})
	}
}

// TestPlanOfLinkedSecrets: a closed file below /etc is private when the configuration has a link to it.
func TestPlanOfLinkedSecrets(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile:                 bareUnit,
		"/etc/d/key.pem":         "-> ../pki/private/d.key",
		"/etc/d/chain/ca.pem":    "-> ../../pki/ca.pem",
		"/etc/d/chain/deep.pem":  "-> ../key.pem",
		"/etc/d/odd é/link":      "-> ../../pki/closed file",
		"/etc/d/dir":             "-> ../pki/private",
		"/etc/d/shadow":          "-> ../shadow",
		"/etc/d/state":           "-> ../../var/lib/closed",
		"/etc/d/dangling":        "-> absent",
		"/etc/d/loop":            "-> loop",
		"/etc/pki/private/d.key": "secret", "/etc/pki/private/other.key": "secret",
		"/etc/pki/ca.pem": "public", "/etc/pki/closed file": "secret", "/etc/shadow": "secret", "/var/lib/closed": "secret",
	}, hosttest.Package("d", "", unitFile, "/etc/d/", "/etc/d/chain/"))
	h.close("/etc/pki/private", "/etc/pki/closed file", "/etc/shadow", "/var/lib/closed")
	checkPlan(t, h, nil, []string{"/etc/d package:d", "/etc/pki/closed file link:/etc/d", "/etc/pki/private/d.key " +
		"link:/etc/d"})
}

// TestPlanOfLinksOfTheService: what runs as the service could have made them to get at the secrets of others.
func TestPlanOfLinksOfTheService(t *testing.T) {
	h := newHost(t, map[string]string{
		unitFile:                bareUnit,
		"/var/lib/d/own":        "-> ../../../etc/pki/own.key",
		"/var/lib/d/packaged":   "-> ../../../etc/pki/packaged.key",
		"/etc/pki/own.key":      "secret",
		"/etc/pki/packaged.key": "secret",
	}, hosttest.Package("d", "", unitFile, "/var/lib/d/"))
	h.close("/etc/pki/own.key", "/etc/pki/packaged.key")
	want := []string{"/etc/pki/packaged.key link:/var/lib/d", "/var/lib/d package:d"}
	if os.Getuid() == 0 {
		if err := os.Lchown(h.Root+"/var/lib/d/own", hosttest.ServiceUID(), -1); err != nil {
			t.Fatal(err)
		}
	} else {
		want = append([]string{"/etc/pki/own.key link:/var/lib/d"}, want...)
	}
	checkPlan(t, h, nil, want)
}

func TestEscapeOrigin(t *testing.T) {
	for origin, want := range map[string]string{
		"package:libstdc++6": "package:libstdc++6", `unit:a\x2db@1.service/User`: `unit:a\x2db@1.service/User`,
		"link:/etc/a b": `link:/etc/a\x20b`, "link:/etc/é": `link:/etc/\xc3\xa9`, "user:svc$": `user:svc\x24`, "": "",
	} {
		if got := EscapeOrigin(origin); got != want {
			t.Errorf("%q: got %s, want %s", origin, got, want)
		}
	}
}
