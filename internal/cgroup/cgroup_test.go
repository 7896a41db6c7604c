// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// fakeTree makes a host with hierarchies at directories below its root, by name, and a process whose cgroup file is
// text.
func fakeTree(t *testing.T, hierarchies map[string]string, pid int, text string) Tree {
	t.Helper()
	root, processes := t.TempDir(), t.TempDir()
	write(t, filepath.Join(processes, strconv.Itoa(pid), "cgroup"), text)
	var mounts []*mountinfo.Info
	for name, dir := range hierarchies {
		m := &mountinfo.Info{Mountpoint: filepath.Join(root, dir), FSType: "cgroup2", VFSOptions: "rw,nsdelegate"}
		if name != "" {
			m.FSType, m.VFSOptions = "cgroup", "rw,xattr,"+name
		}
		mounts = append(mounts, m)
	}
	return Tree{root, proc.Dir(processes), func() ([]*mountinfo.Info, error) { return mounts, nil }}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// groupsOf returns the groups of process 7.
func groupsOf(t *testing.T, tree Tree) Groups {
	t.Helper()
	groups, err := tree.Of(7)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestOf(t *testing.T) {
	version1 := map[string]string{"cpu,cpuacct": "cpu,cpuacct", "pids": "pids", "name=systemd": "systemd", "": "unified"}
	cases := []struct {
		name        string
		hierarchies map[string]string
		text        string
		want        map[string]string
	}{
		{"version 2", map[string]string{"": ""}, "0::/machine.slice/a\n", map[string]string{"": "/machine.slice/a"}},
		{"version 1", version1, "9:cpu,cpuacct:/m/a\n8:pids:/b\n7:freezer:/c\n1:name=systemd:/d:e\n0::/f\n",
			map[string]string{
				"cpu,cpuacct": "/cpu,cpuacct/m/a", "pids": "/pids/b", "name=systemd": "/systemd/d:e", "": "/unified/f",
			},
		},
		{"outside of a namespace", map[string]string{"": ""}, "0::/../../a\n", map[string]string{"": "/a"}},
		{"nothing mounted", nil, "0::/a\n", map[string]string{}},
		{"not of the form", map[string]string{"": ""}, "0:\n\n", map[string]string{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tree := fakeTree(t, c.hierarchies, 7, c.text)
			got := groupsOf(t, tree).dirs
			want := make(map[string]string)
			for name, dir := range c.want {
				want[name] = tree.Root + dir
			}
			if !maps.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	tree := fakeTree(t, nil, 7, "")
	if _, err := tree.Of(8); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a process that is not there: %v", err)
	}
	failure := errors.New("failure")
	tree.Mounts = func() ([]*mountinfo.Info, error) { return nil, failure }
	if _, err := tree.Of(7); !errors.Is(err, failure) {
		t.Errorf("without mounts: %v", err)
	}
}

func TestOfSelf(t *testing.T) {
	groups, err := Host().Of(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, dir := range groups.dirs {
		if !strings.HasPrefix(dir, "/") {
			t.Errorf("%q is at %s", name, dir)
		}
	}
}

func TestShows(t *testing.T) {
	mount := func(kind, options string) *mountinfo.Info { return &mountinfo.Info{FSType: kind, VFSOptions: options} }
	for _, c := range []struct {
		mount     *mountinfo.Info
		hierarchy string
		want      bool
	}{
		{mount("cgroup", "rw,cpu,cpuacct"), "cpu,cpuacct", true},
		{mount("cgroup", "rw,xattr,name=systemd"), "name=systemd", true},
		{mount("cgroup", "rw,cpuset"), "cpu", false}, {mount("tmpfs", "rw,memory"), "memory", false},
		{mount("cgroup2", "rw"), "", false},
	} {
		if got := Shows(c.mount, c.hierarchy); got != c.want {
			t.Errorf("%+v shows %q: %t", c.mount, c.hierarchy, got)
		}
	}
}

func TestLimitPIDs(t *testing.T) {
	const scope = `/machine.slice/machine-lxc\x2d12\x2dweb.scope`
	t.Run("version 1", func(t *testing.T) {
		tree := fakeTree(t, map[string]string{"pids": "pids", "": "unified"}, 7, "8:pids:/system.slice\n0::/x\n")
		if err := groupsOf(t, tree).LimitPIDs("web", 7, 150); err != nil {
			t.Fatal(err)
		}
		dir := tree.Root + "/pids/system.slice/virt-sandbox-web"
		if limit, moved := read(t, dir+"/pids.max"), read(t, dir+"/container/cgroup.procs"); limit != "150" || moved != "7" {
			t.Errorf("limit %q, process %q", limit, moved)
		}
	})
	t.Run("version 2", func(t *testing.T) {
		tree := fakeTree(t, map[string]string{"": ""}, 7, "0::"+scope+"/libvirt\n")
		write(t, tree.Root+scope+"/libvirt/pids.max", "max")
		if err := groupsOf(t, tree).LimitPIDs("web", 7, 150); err != nil {
			t.Fatal(err)
		}
		if limit := read(t, tree.Root+scope+"/libvirt/pids.max"); limit != "150" {
			t.Errorf("limit %q", limit)
		}
	})
	t.Run("not of a container", func(t *testing.T) {
		tree := fakeTree(t, map[string]string{"": ""}, 7, "0::/system.slice\n")
		write(t, tree.Root+"/cgroup.controllers", "cpu memory\n")
		if err := groupsOf(t, tree).LimitPIDs("web", 7, 150); err != nil {
			t.Errorf("where nothing counts: %v", err)
		}
		write(t, tree.Root+"/cgroup.controllers", "cpu memory pids\n")
		err := groupsOf(t, tree).LimitPIDs("web", 7, 150)
		if err == nil || !strings.Contains(err.Error(), "not delegated") {
			t.Errorf("where the host counts: %v", err)
		}
		if err := groupsOf(t, tree).LimitPIDs("web", 7, 0); err != nil {
			t.Errorf("no bound: %v", err)
		}
	})
}

// The number of groups is bounded where the container cannot change it, and only in a group that is its alone.
func TestLimitGroups(t *testing.T) {
	for text, want := range map[string]string{
		`0::/machine.slice/machine-lxc\x2d12\x2dweb.scope/libvirt` + "\n": `/machine.slice/machine-lxc\x2d12\x2dweb.scope`,
		"0::/machine/lxc-12-web.libvirt-lxc/virt-sandbox-web\n":           "/machine/lxc-12-web.libvirt-lxc",
		"0::/system.slice/libvirtd.service/virt-sandbox-web\n":            "/system.slice/libvirtd.service/virt-sandbox-web",
		"0::/system.slice/libvirtd.service\n":                             "",
		"8:pids:/system.slice/libvirtd.service\n\n":                       "", // no version 2
	} {
		tree := fakeTree(t, map[string]string{"": "", "pids": ""}, 7, text)
		groups := groupsOf(t, tree)
		if err := groups.LimitGroups("web"); err != nil {
			t.Errorf("%q, of a kernel without: %v", text, err)
		}
		for dir := range strings.SplitSeq("/ /machine /machine/lxc-12-web.libvirt-lxc /system.slice/libvirtd.service "+
			"/system.slice /machine/lxc-12-web.libvirt-lxc/virt-sandbox-web /machine.slice /machine.slice/"+
			`machine-lxc\x2d12\x2dweb.scope /system.slice/libvirtd.service/virt-sandbox-web`, " ") {
			write(t, tree.Root+dir+"/cgroup.max.descendants", "max")
		}
		if err := groups.LimitGroups("web"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		limited, err := exec.Command("grep", "-rlv", "max", tree.Root).Output()
		if text := strings.TrimSpace(string(limited)); err != nil && text != "" ||
			strings.TrimSuffix(strings.TrimPrefix(text, tree.Root), "/cgroup.max.descendants") != want {
			t.Errorf("%q: limited is %q, want %q", groups.dirs, text, want)
		}
	}
}

func TestDelegate(t *testing.T) {
	for text, want := range map[string]string{
		"0::/system.slice/libvirtd.service\n":       "/system.slice/libvirtd.service/virt-sandbox-web",
		"0::/machine/lxc-12-web.libvirt-lxc\n":      "", // libvirt has made one
		"8:pids:/system.slice/libvirtd.service\n\n": "", // no version 2
	} {
		tree := fakeTree(t, map[string]string{"": "", "pids": ""}, 7, text)
		if err := groupsOf(t, tree).Delegate("web", 7, os.Getuid()); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(tree.Root)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case want == "" && len(entries) > 0:
			t.Errorf("%q: made %v", text, entries)
		case want != "" && read(t, tree.Root+want+"/cgroup.procs") != "7":
			t.Errorf("%q: the process is not in %s", text, want)
		}
	}
}

func TestOfContainerAndMoveAbove(t *testing.T) {
	const text = "8:pids:/machine/lxc-12-web.libvirt-lxc\n7:memory:/system.slice\n0::/machine/lxc-12-web.libvirt-lxc\n"
	tree := fakeTree(t, map[string]string{"pids": "pids", "memory": "memory", "": "unified"}, 7, text)
	groups := groupsOf(t, tree)
	for _, dir := range groups.dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		tree.Root + "/pids/machine/lxc-12-web.libvirt-lxc", tree.Root + "/unified/machine/lxc-12-web.libvirt-lxc",
	}
	if got := groups.OfContainer(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	groups.MoveAbove(8)
	for dir, moved := range map[string]string{"/pids/machine": "8", "/unified/machine": "", "/memory": ""} {
		if got := read(t, tree.Root+dir+"/cgroup.procs"); got != moved {
			t.Errorf("in %s there is %q", dir, got)
		}
	}
}

// TestEntrance: a thread joins all of version 1, and last the freezer, in the group that the container sees.
func TestEntrance(t *testing.T) {
	const libvirts = "/machine/lxc-12-web.libvirt-lxc"
	text := "8:pids:" + libvirts + "\n7:freezer:" + libvirts + "/virt-sandbox-web/deep\n0::" + libvirts + "/init.scope\n"
	tree := fakeTree(t, map[string]string{"pids": "pids", "freezer": "freezer", "": "unified"}, 7, text)
	for _, file := range []string{
		"pids" + libvirts + "/tasks", "freezer" + libvirts + "/virt-sandbox-web/tasks",
		"unified" + libvirts + "/init.scope/x",
	} {
		write(t, filepath.Join(tree.Root, file), "")
	}
	e, err := groupsOf(t, tree).Entrance("web")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if len(e.Tasks) != 1 || e.Tasks[0].Name() != tree.Root+"/pids"+libvirts+"/tasks" {
		t.Errorf("tasks: %v", e.Tasks)
	}
	if e.Freezer == nil || e.Freezer.Name() != tree.Root+"/freezer"+libvirts+"/virt-sandbox-web/tasks" {
		t.Errorf("freezer: %v", e.Freezer)
	}
	if e.Version2 == nil || e.Version2.Name() != tree.Root+"/unified"+libvirts+"/init.scope" {
		t.Errorf("version 2: %v", e.Version2)
	}
	none, err := (Groups{}).Entrance("web")
	if err != nil || none.Tasks != nil || none.Freezer != nil || none.Version2 != nil {
		t.Errorf("without groups: %+v, %v", none, err)
	}
	none.Close()
	broken, err := groupsOf(t, fakeTree(t, map[string]string{"pids": "pids"}, 7, text)).Entrance("web")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without files: %v", err)
	}
	broken.Close()
}

func TestUsage(t *testing.T) {
	version2 := map[string]string{"": ""}
	number := func(n *uint64) uint64 {
		if n == nil {
			return 0
		}
		return *n
	}
	for _, c := range []struct {
		name        string
		hierarchies map[string]string
		text        string
		files       map[string]string
		memory      uint64
		cpu         float64
		pids        uint64
	}{
		{"version 2", version2, "0::/machine/lxc-1-web.libvirt-lxc/virt-sandbox-web/init.scope\n", map[string]string{
			"machine/lxc-1-web.libvirt-lxc/memory.current": "4096\n",
			"machine/lxc-1-web.libvirt-lxc/cpu.stat":       "usage_usec 2500000\nuser_usec 1\n",
			"machine/lxc-1-web.libvirt-lxc/pids.current":   "5\n",
		}, 4096, 2.5, 5},
		{"version 1", map[string]string{"cpu,cpuacct": "cpu", "memory": "memory", "pids": "pids"},
			"9:cpu,cpuacct:/lxc-1-web.libvirt-lxc\n8:memory:/lxc-1-web.libvirt-lxc\n7:pids:/x/virt-sandbox-web/container\n",
			map[string]string{
				"cpu/lxc-1-web.libvirt-lxc/cpuacct.usage":            "1500000000\n",
				"memory/lxc-1-web.libvirt-lxc/memory.usage_in_bytes": "8192\n",
				"pids/x/virt-sandbox-web/pids.current":               "3\n",
			}, 8192, 1.5, 3},
		{"not of a container", version2, "0::/system.slice\n",
			map[string]string{"system.slice/memory.current": "1\n"}, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := fakeTree(t, c.hierarchies, 7, c.text)
			for file, text := range c.files {
				write(t, filepath.Join(tree.Root, file), text)
			}
			u := groupsOf(t, tree).Usage("web")
			cpu := 0.0
			if u.CPU != nil {
				cpu = *u.CPU
			}
			if number(u.Memory) != c.memory || cpu != c.cpu || number(u.PIDs) != c.pids {
				t.Errorf("got %d, %v, %d", number(u.Memory), cpu, number(u.PIDs))
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("4:cpu,cpuacct:/a\n1:name=systemd:/b\n0::/c:d\n")
	f.Add("0:\n\n0::/a b ")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range Parse(text) {
			found := strings.Contains(text, ":"+m.Hierarchy+":"+m.Path)
			if strings.ContainsAny(m.Hierarchy, ":\n") || strings.Contains(m.Path, "\n") || !found {
				t.Errorf("%q has %+v", text, m)
			}
			isOfContainer(m.Path)
			if whole := wholeOf(m.Path, "web"); !strings.HasPrefix(m.Path, whole) {
				t.Errorf("%q is not above %q", whole, m.Path)
			}
		}
	})
}
