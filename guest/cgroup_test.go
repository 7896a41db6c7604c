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
		{"version 2", "0::/machine.slice/web\n", []hierarchy{{"", "/machine.slice/web"}}},
		{"version 1 and 2", "4:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c\n",
			[]hierarchy{{"cpu,cpuacct", "/a"}, {"name=systemd", "/b"}, {"", "/c"}}},
		{"colons in the path", "0::/a:b::c\n", []hierarchy{{"", "/a:b::c"}}},
		{"blanks in the path", "0::/a b \n", []hierarchy{{"", "/a b "}}},
		{"no last newline", "0::/", []hierarchy{{"", "/"}}},
		{"not of the form", "0:\n\n0::/a\n", []hierarchy{{"", "/a"}}},
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

// TestDirName: systemd looks for hierarchies under these names below /sys/fs/cgroup.
func TestDirName(t *testing.T) {
	for controllers, want := range map[string]string{
		"": "unified", "name=systemd": "systemd", "memory": "memory", "cpu,cpuacct": "cpu,cpuacct",
	} {
		if got := (hierarchy{controllers: controllers}).dirName(); got != want {
			t.Errorf("%q: got %s, want %s", controllers, got, want)
		}
	}
}
