// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cpuacct is where the kernel counts the CPU time of what is measured, by groups of cgroup version 1: they keep the
// time of processes that have ended.
const cpuacct = "/sys/fs/cgroup/cpuacct"

// meter tells wall and CPU time of what happens between two readings. It has a group of its own for what is started,
// one for libvirtd, and that in which libvirt makes those of its containers.
type meter struct {
	started, libvirt, containers string
}

func newMeter(t *testing.T) *meter {
	t.Helper()
	m := &meter{
		started: filepath.Join(cpuacct, "sc-started"), libvirt: filepath.Join(cpuacct, "sc-libvirt"),
		containers: filepath.Join(cpuacct, "machine"),
	}
	if _, err := os.Stat(cpuacct); err != nil {
		t.Skip("the host has no cpuacct of cgroup version 1 to measure with")
	}
	home := ""
	libvirtd := processNamed("libvirtd")
	for _, dir := range []string{m.started, m.libvirt} {
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	for _, pid := range libvirtd {
		if home == "" {
			home = groupOf(pid, "cpuacct")
		}
		if err := move(pid, m.libvirt); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, dir := range []string{m.started, m.libvirt} {
			moveAll(dir, filepath.Join(cpuacct, home))
			if err := removeGroup(dir); err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

func move(pid int, group string) error {
	return os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
}

// moveAll moves the processes of one group to another.
func moveAll(from, to string) {
	text, _ := os.ReadFile(filepath.Join(from, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			_ = move(pid, to)
		}
	}
}

// removeGroup removes a group that processes may still be leaving.
func removeGroup(dir string) error {
	var err error
	for range 100 {
		if err = os.Remove(dir); err == nil || os.IsNotExist(err) {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

func groupOf(pid int, controller string) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(text)) {
		if part := strings.SplitN(strings.TrimSpace(line), ":", 3); len(part) == 3 && part[1] == controller {
			return part[2]
		}
	}
	return "/"
}

func processNamed(name string) []int {
	var list []int
	for _, pid := range allProcesses() {
		if comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); err == nil &&
			strings.TrimSpace(string(comm)) == name {
			list = append(list, pid)
		}
	}
	return list
}

// reading is a moment, and the CPU time that each group had used by then.
type reading struct {
	at                                time.Time
	started, own, libvirt, containers time.Duration
}

func (m *meter) read() reading {
	return reading{time.Now(), used(m.started, "cpuacct.usage"), used(m.started, "cpuacct.usage_user"),
		used(m.libvirt, "cpuacct.usage"), used(m.containers, "cpuacct.usage")}
}

// used is the CPU time of a group and those below; none of one that is not there yet.
func used(group, file string) time.Duration {
	text, err := os.ReadFile(filepath.Join(group, file))
	if err != nil {
		return 0
	}
	ns, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return time.Duration(ns)
}

// cost is what something took: started is the CPU time of the programs which were started for it, own that of these
// outside the kernel.
type cost struct{ wall, started, own, libvirt, containers time.Duration }

func (c cost) cpu() time.Duration { return c.started + c.libvirt + c.containers }

// measure gives the cost of f.
func (m *meter) measure(f func()) cost {
	before := m.read()
	f()
	after := m.read()
	return cost{
		after.at.Sub(before.at), after.started - before.started, after.own - before.own, after.libvirt - before.libvirt,
		after.containers - before.containers,
	}
}

// within gives the command that runs another in a group, which it enters first.
func within(group string, args ...string) []string {
	return append([]string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group}, args...)
}

// pss is the memory of processes by their programs' names: what is shared is divided by who shares it (proc(5),
// smaps_rollup).
func pss(pids []int) map[string]int64 {
	by := make(map[string]int64)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		name, nameErr := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil || nameErr != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if value, found := strings.CutPrefix(line, "Pss:"); found {
				kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
				by[strings.TrimSpace(string(name))] += kib * 1024
			}
		}
	}
	return by
}

func sum(by map[string]int64) int64 {
	total := int64(0)
	for _, size := range by {
		total += size
	}
	return total
}
