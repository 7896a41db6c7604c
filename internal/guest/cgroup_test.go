// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"reflect"
	"testing"

	"github.com/moby/sys/mountinfo"
)

func TestReadHierarchies(t *testing.T) {
	cases := []struct {
		name, text string
		want       []hierarchy
	}{
		{"version 2", "0::/machine.slice/web\n", []hierarchy{""}},
		{"version 1 and 2", "4:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n",
			[]hierarchy{"cpu,cpuacct", "name=systemd", ""}},
		{"colons in the path", "0::/a:b::c\n", []hierarchy{""}},
		{"blanks in the path", "0::/a b \n", []hierarchy{""}},
		{"no last newline", "0::/", []hierarchy{""}},
		{"not of the form", "0:\n\n0::/a\n", []hierarchy{""}},
		{"empty", "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := readHierarchies(c.text); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// TestGiven: of version 1 only the hierarchies that libvirt mounted are the container's; version 2 always is.
func TestGiven(t *testing.T) {
	mounts := []*mountinfo.Info{
		{Mountpoint: "/sys/fs/cgroup/cpu,cpuacct", FSType: "cgroup", VFSOptions: "rw,cpu,cpuacct"},
		{Mountpoint: "/sys/fs/cgroup/systemd", FSType: "cgroup", VFSOptions: "rw,xattr,name=systemd"},
		{Mountpoint: "/memory", FSType: "tmpfs", VFSOptions: "rw,memory"},
	}
	all := []hierarchy{"cpu,cpuacct", "cpuset", "memory", "name=systemd", "name=other", ""}
	if got, want := given(all, mounts), []hierarchy{"cpu,cpuacct", "name=systemd", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	mounts = []*mountinfo.Info{{Mountpoint: "/sys/fs/cgroup", FSType: "cgroup2", VFSOptions: "rw,nsdelegate"}}
	if got, want := given(all, mounts), []hierarchy{""}; !reflect.DeepEqual(got, want) {
		t.Errorf("version 2: got %+v, want %+v", got, want)
	}
}

// TestDirName: systemd looks for hierarchies under these names below /sys/fs/cgroup.
func TestDirName(t *testing.T) {
	for controllers, want := range map[string]string{
		"": "unified", "name=systemd": "systemd", "memory": "memory", "cpu,cpuacct": "cpu,cpuacct",
	} {
		if got := hierarchy(controllers).dirName(); got != want {
			t.Errorf("%q: got %s, want %s", controllers, got, want)
		}
	}
}
