// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSet: each setting is written where the container cannot, in the words of the version that the host has.
func TestSet(t *testing.T) {
	const scope = `/machine.slice/machine-lxc\x2d12\x2dweb.scope`
	version1 := map[string]string{"cpu,cpuacct": "cpu", "pids": "pids", "memory": "memory", "blkio": "blkio"}
	const libvirts = "/machine/lxc-7-web.libvirt-lxc"
	text1 := "9:cpu,cpuacct:" + libvirts + "/virt-sandbox-web\n8:memory:" + libvirts + "/virt-sandbox-web\n" +
		"7:blkio:" + libvirts + "\n6:pids:/system.slice/virt-sandbox-web/container/virt-sandbox-web\n"
	for _, c := range []struct {
		name, value string
		text        string
		file, want  string // "" is refused
	}{
		{"MemoryMax", "1024", "", "/libvirt/memory.max", "1024"},
		{"MemoryHigh", "max", "", "/libvirt/memory.high", "max"},
		{"CPUQuota", CPUQuota(0.5), "", "/libvirt/cpu.max", "50000 100000"},
		{"CPUQuota", CPUQuota(0), "", "/libvirt/cpu.max", "max 100000"},
		{"IOWeight", "50", "", "", ""},
		{"CPUWeight", "50", text1, "/cpu" + libvirts + "/cpu.shares", "512"},
		{"IOWeight", "10000", text1, "/blkio" + libvirts + "/blkio.bfq.weight", "1000"},
		{"CPUQuota", CPUQuota(2), text1, "/cpu" + libvirts + "/cpu.cfs_quota_us", "200000"},
		{"MemoryMax", Unlimited, text1, "/memory" + libvirts + "/memory.limit_in_bytes", "-1"},
		{"TasksMax", "9", text1, "/pids/system.slice/virt-sandbox-web/pids.max", "9"},
		{"MemoryHigh", "9", text1, "", ""},
		{"Nonsense", "9", text1, "", ""},
	} {
		tree := fakeTree(t, map[string]string{"": ""}, 7, "0::"+scope+"/libvirt/virt-sandbox-web/system.slice/x.service\n")
		if c.text != "" {
			tree = fakeTree(t, version1, 7, c.text)
		}
		file := tree.Root + c.file
		if c.text == "" {
			file = tree.Root + scope + c.file
		}
		if c.file != "" {
			write(t, file, "")
		}
		err := groupsOf(t, tree).Set("web", c.name, c.value)
		if c.file == "" {
			if err == nil {
				t.Errorf("%s is set where there is none", c.name)
			}
			continue
		}
		if got := read(t, file); err != nil || got != c.want {
			t.Errorf("%s=%s: %s has %q, %v; want %q", c.name, c.value, c.file, got, err, c.want)
		}
	}
}

// TestSetNothingOfOthers: a process that is in no group of a container has none changed.
func TestSetNothingOfOthers(t *testing.T) {
	tree := fakeTree(t, map[string]string{"": ""}, 7, "0::/system.slice/libvirtd.service\n")
	file := filepath.Join(tree.Root, "system.slice/libvirtd.service/memory.max")
	write(t, file, "max")
	err := groupsOf(t, tree).Set("web", "MemoryMax", "4096")
	if err == nil || !strings.Contains(err.Error(), "MemoryMax") || read(t, file) != "max" {
		t.Errorf("got %v, %q", err, read(t, file))
	}
	if _, err := os.Stat(tree.Root + "/system.slice/cgroup.subtree_control"); err == nil {
		t.Error("a controller was switched on")
	}
}
