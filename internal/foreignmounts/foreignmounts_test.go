// SPDX-License-Identifier: Apache-2.0

package foreignmounts

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
)

// A mount that another container's end took away after the table was read is gone, and no error.
func TestUnmountAllOfWhatIsGone(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	there := t.TempDir()
	for _, c := range []struct{ name, target string }{{"mount", there}, {"mount point", there + "/gone"}} {
		stale := []*mountinfo.Info{{ID: 1, Mountpoint: "/"}, {ID: 2, Parent: 1, Mountpoint: c.target}}
		reads := 0
		err := unmountAll(func() ([]*mountinfo.Info, error) {
			reads++
			if reads == 1 {
				return stale, nil
			}
			return stale[:1], nil
		}, c.target)
		if err != nil || reads != 2 {
			t.Errorf("%s: %v after %d readings", c.name, err, reads)
		}
	}
	if err := unmountAll(func() ([]*mountinfo.Info, error) {
		return []*mountinfo.Info{{ID: 2, Parent: 1, Mountpoint: there}}, nil
	}, there); err == nil {
		t.Error("a table that always has it ends without an error")
	}
}

func TestCoversOf(t *testing.T) {
	const image = "/var/lib/libvirt/filesystems/web"
	cases := []struct {
		name, table string
		want        []string
	}{
		{"nothing covers it", `1 0 8:1 / / rw - ext4 a rw
2 1 7:0 / /var/lib/libvirt/filesystems/web rw - ext4 b rw
`, nil},
		{"it is not there", "1 0 8:1 / / rw - ext4 a rw\n", nil},
		{"the container's /var does", `1 0 8:1 / / rw - ext4 a rw
2 1 7:0 / /var/lib/libvirt/filesystems/web rw - ext4 b rw
3 1 8:1 /x/var /var rw - ext4 a rw
`, []string{"/var"}},
		{"on a host with a /var and a directory of sandboxes of their own", `1 0 8:1 / / rw - ext4 a rw
2 1 8:2 / /var rw - ext4 c rw
4 2 8:3 / /var/lib/libvirt/filesystems rw - ext4 c rw
5 4 7:0 / /var/lib/libvirt/filesystems/web rw - ext4 b rw
6 2 8:2 /x/var /var rw - ext4 c rw
7 6 0:5 / /var/www rw - ext4 c rw
`, []string{"/var"}},
		{"two do", `1 0 8:1 / / rw - ext4 a rw
2 1 7:0 / /var/lib/libvirt/filesystems/web rw - ext4 b rw
3 1 8:1 /x /var/lib rw - ext4 a rw
4 1 8:1 /x/var /var rw - ext4 a rw
`, []string{"/var", "/var/lib"}},
		{"one that lies over another", `1 0 8:1 / / rw - ext4 a rw
2 1 7:0 / /var/lib/libvirt/filesystems/web rw - ext4 b rw
3 1 8:1 /x/var /var rw - ext4 a rw
4 3 8:1 /y/var /var rw - ext4 a rw
5 4 0:5 / /var/lib rw - tmpfs t rw
`, []string{"/var", "/var"}},
	}
	for _, c := range cases {
		entries, err := mountinfo.GetMountsFromReader(strings.NewReader(c.table), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := coversOf(entries, image); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
