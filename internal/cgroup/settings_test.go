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

// TestChange: all are set or none, and undo puts back what was there.
func TestChange(t *testing.T) {
	const libvirts = "/machine/lxc-7-web.libvirt-lxc"
	tree := fakeTree(t, map[string]string{"memory": "memory", "cpu": "cpu"}, 7,
		"9:cpu:"+libvirts+"/virt-sandbox-web\n8:memory:"+libvirts+"/virt-sandbox-web\n")
	memory, cpu := tree.Root+"/memory"+libvirts+"/memory.limit_in_bytes", tree.Root+"/cpu"+libvirts+"/cpu.cfs_quota_us"
	write(t, memory, "9223372036854771712\n")
	write(t, cpu, "-1\n")
	both := func(when, wantMemory, wantCPU string) {
		t.Helper()
		if m, c := strings.TrimSpace(read(t, memory)), strings.TrimSpace(read(t, cpu)); m != wantMemory || c != wantCPU {
			t.Errorf("%s: %s and %s, want %s and %s", when, m, c, wantMemory, wantCPU)
		}
	}
	undo, err := groupsOf(t, tree).Change("web", []Value{{"MemoryMax", "4096"}, {"CPUQuota", CPUQuota(1)}})
	if err != nil {
		t.Fatal(err)
	}
	both("set", "4096", "100000")
	if err := undo(); err != nil {
		t.Error(err)
	}
	both("put back", "9223372036854771712", "-1")
	if _, err := groupsOf(t, tree).Change("web", []Value{{"MemoryMax", "4096"}, {"MemoryHigh", "1"}}); err == nil {
		t.Error("what the host does not have was set")
	}
	both("of a setting that is not there", "9223372036854771712", "-1")
	if os.Remove(cpu) != nil || os.Mkdir(cpu, 0o755) != nil {
		t.Fatal("no directory")
	}
	if _, err := groupsOf(t, tree).Change("web", []Value{{"MemoryMax", "4096"}, {"CPUQuota", CPUQuota(1)}}); err == nil {
		t.Error("a directory was written")
	}
	if m := strings.TrimSpace(read(t, memory)); m != "9223372036854771712" {
		t.Errorf("after a failure: %s", m)
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
