package guest

import (
	"reflect"
	"testing"
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
	mounts := parseMounts("30 1 0:1 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"31 1 0:2 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n" +
		"32 1 0:3 / /memory rw - tmpfs tmpfs rw,memory\n")
	all := []hierarchy{"cpu,cpuacct", "cpuset", "memory", "name=systemd", "name=other", ""}
	if got, want := given(all, mounts), []hierarchy{"cpu,cpuacct", "name=systemd", ""}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	mounts = parseMounts("33 1 0:4 / /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n")
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
