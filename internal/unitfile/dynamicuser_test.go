// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

func TestDynamicUser(t *testing.T) {
	for _, c := range []struct{ unit, lines, user, group string }{
		{"d.service", "", "", ""},
		{"d.service", "DynamicUser=no", "", ""},
		{"d.service", "DynamicUser=yes\nDynamicUser=no", "", ""},
		{"d.service", "DynamicUser=no\nDynamicUser=yes", "d", "d"},
		{"d-e.service", "DynamicUser=1\nUser=svc", "svc", "svc"},
		{"d@one.service", "DynamicUser=on\nGroup=media", "d", "media"},
		{"d@one.service", "DynamicUser=on\nUser=u-%i", "u-one", "u-one"},
		{"d.service", "DynamicUser=yes\nUser=65000", "65000", "65000"},
		{"d.service", "DynamicUser=yes\nUser=a:b", "", ""},
		{"d.service", "DynamicUser=yes\nGroup=\"a b\"", "", ""},
		{"d.service", "DynamicUser=yes\nUser=" + strings.Repeat("a", 32), "", ""},
		{"1d.service", "DynamicUser=yes", "_du1ee7c42fb6aa70b9", "_du1ee7c42fb6aa70b9"}, // a name cannot begin so
	} {
		file := strings.Replace(c.unit, "@one", "@", 1)
		root := hosttest.Root(t, map[string]string{"/usr/lib/systemd/system/" + file: "[Service]\n" + c.lines + "\n"})
		u, err := Root(root).Find(c.unit, "box")
		if err != nil {
			t.Fatal(err)
		}
		user, group, ok := u.DynamicUser()
		if !ok {
			user, group = "", ""
		}
		if user != c.user || group != c.group || ok != (c.user != "") {
			t.Errorf("%s, %q: user %q, group %q, %v", c.unit, c.lines, user, group, ok)
		}
	}
}
