// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"fmt"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestNeedsMounts: systemd starts a unit without the mounts that are to protect it, and not without those by which it
// sees other files. Only for these does it need a capability, where that helps.
func TestNeedsMounts(t *testing.T) {
	for _, c := range []struct {
		lines string
		want  bool
		binds string
	}{
		{"PrivateTmp=yes\nProtectSystem=full\nReadWritePaths=/var", false, "[]"},
		{"DynamicUser=yes", false, "[]"}, // innerboot gives it an account that stays
		{"BindPaths=/var/tmp /srv:/srv\nBindReadOnlyPaths=-/etc/d", false, "[]"},
		{"BindPaths=/srv:/mnt/", true, "[BindPaths=/srv:/mnt]"},
		{"BindReadOnlyPaths=-/a:/b:norbind \"/x y:/z\"", true, "[BindReadOnlyPaths=/a:/b BindReadOnlyPaths=/x y:/z]"},
		{"BindPaths=/a:/b\nBindReadOnlyPaths=", false, "[]"},
		{"BindPaths=%S/a:/b", true, "[BindPaths=/var/lib/a:/b]"},
		{"BindPaths=a:b", false, "[]"},
		{"TemporaryFileSystem=/x:ro", true, "[]"},
		{"TemporaryFileSystem=/x\nTemporaryFileSystem=", false, "[]"},
		{"RootDirectory=/srv/root", true, "[]"},
		{"RootDirectory=/", false, "[]"},
		{"RootImage=/a.raw", true, "[]"},
		{"MountImages=/a.raw:/a", true, "[]"},
		{"ExtensionImages=/a.raw", true, "[]"},
		{"ExtensionDirectories=/a", true, "[]"},
		{"LogNamespace=d", true, "[]"},
		{"LogNamespace=d\nLogNamespace=", false, "[]"},
	} {
		host := Root(hosttest.Root(t, map[string]string{
			"/usr/lib/systemd/system/d.service": "[Service]\n" + c.lines + "\n",
		}))
		set, err := host.FindAll([]string{"d"}, "box", func(err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
		u := set.Asked[0]
		if got := fmt.Sprint(u.BindPaths()); u.NeedsMounts() != c.want || got != c.binds {
			t.Errorf("%q: needs mounts: %v, %s; want %v, %s", c.lines, u.NeedsMounts(), got, c.want, c.binds)
		}
		for _, mayMount := range []bool{false, true} {
			if got := slices.Contains(set.Capabilities(mayMount), "CAP_SYS_ADMIN"); got != (mayMount && c.want) {
				t.Errorf("%q: CAP_SYS_ADMIN: %v where it may mount: %v", c.lines, got, mayMount)
			}
		}
	}
}
