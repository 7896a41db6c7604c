// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func makeDirs(t *testing.T, root string, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// leaves lists the directories without others below.
func leaves(t *testing.T, root string) (dirs []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entries, err := os.ReadDir(p); err == nil && len(entries) == 0 && p != root {
			dirs = append(dirs, p[len(root)+1:])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(dirs)
	return dirs
}

// TestRemoveTree: what is the sandbox's goes, wherever it lies, and nothing of others.
func TestRemoveTree(t *testing.T) {
	tree := fakeTree(t, nil, 1, "")
	others := []string{
		"machine.slice/machine-lxc\\x2d8\\x2dother.scope/virt-sandbox-web",
		"machine/lxc-9-other.libvirt-lxc/virt-sandbox-other/virt-sandbox-web",
		"machine/lxc-9-web-other.libvirt-lxc",
		"pids/virt-sandbox-other/virt-sandbox-web",
		"system.slice/a.service",
		"too/deep/for/a/group/of/a/container/virt-sandbox-web",
	}
	makeDirs(t, tree.Root, others...)
	makeDirs(t, tree.Root,
		"machine/lxc-12-web.libvirt-lxc/virt-sandbox-web/system.slice/a.service", "pids/virt-sandbox-web/container",
		"cpu/machine/lxc-12-web.libvirt-lxc", "memory/machine/lxc-34-web.libvirt-lxc/below",
		"machine.slice/machine-lxc\\x2d12\\x2dweb.scope/virt-sandbox-web/init.scope", "virt-sandbox-web")
	for range 2 {
		if err := tree.Remove(OwnName("web")); err != nil {
			t.Fatal(err)
		}
	}
	// systemd removes its scope.
	want := append([]string{"cpu/machine", "memory/machine", "machine.slice/machine-lxc\\x2d12\\x2dweb.scope"}, others...)
	slices.Sort(want)
	if got := leaves(t, tree.Root); !slices.Equal(got, want) {
		t.Errorf("there is\n%q, not\n%q", got, want)
	}
}

func TestRemoveGroups(t *testing.T) {
	tree := fakeTree(t, map[string]string{"pids": "pids", "memory": "memory"}, 7,
		"8:pids:/\n7:memory:/machine/lxc-12-web.libvirt-lxc\n")
	groups := groupsOf(t, tree)
	makeDirs(t, tree.Root, "pids/virt-sandbox-web/container", "pids/other", "memory/machine/lxc-12-web.libvirt-lxc/x")
	for range 2 {
		if err := groups.Remove("web"); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := leaves(t, tree.Root), []string{"memory/machine", "pids/other"}; !slices.Equal(got, want) {
		t.Errorf("there is %q, not %q", got, want)
	}
	if err := (Groups{}).Remove("web"); err != nil {
		t.Errorf("of a process that was not looked at: %v", err)
	}
}
