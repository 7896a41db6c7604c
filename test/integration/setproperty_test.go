// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// limitsOf returns what the kernel bounds the container t-limits by, above what it sees of its cgroups: memory, CPUs,
// processes.
func limitsOf(t *testing.T) (found string) {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(shell(t, "pgrep -P $(cat /run/libvirt/lxc/t-limits.pid) | head -1")))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := cgroup.Host().Mounts()
	if err != nil {
		t.Fatal(err)
	}
	kinds := [][]string{{"memory.max", "memory.limit_in_bytes"}, {"cpu.max", "cpu.cfs_quota_us"}, {"pids.max"}}
	for _, files := range kinds {
		least := ""
		for _, member := range cgroup.Parse(string(text)) {
			for _, m := range mounts {
				if (member.Hierarchy == "") != (m.FSType == "cgroup2") || member.Hierarchy != "" &&
					!cgroup.Shows(m, member.Hierarchy) {
					continue
				}
				// From the innermost group outwards the first that is bounded.
				for dir := member.Path; len(dir) > 1 && least == ""; dir = dir[:strings.LastIndexByte(dir, '/')] {
					for _, file := range files {
						value, err := os.ReadFile(m.Mountpoint + dir + "/" + file)
						word, _, _ := bytes.Cut(bytes.TrimSpace(value), []byte(" "))
						if n, isNumber := strconv.ParseInt(string(word), 10, 64); err == nil && isNumber == nil && n > 0 && n < 1<<60 {
							least = string(word)
						}
					}
				}
			}
		}
		found += least + " "
	}
	return strings.TrimSpace(found)
}

// Limits of a running sandbox change without a restart, in its config or until it stops, all of them or none.
func TestSetProperty(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	create(t, "t-limits", "-C", "-u", "apache2")
	refused(t, run(t, "set-property", "--runtime", "t-limits", "memory=1G"), "is not running")
	must(t, "set-property", "t-limits", "memory=1G", "cpus=3", "pids=500")
	must(t, "start", "t-limits")
	if got := limitsOf(t); got != "1073741824 300000 500" {
		t.Errorf("at the start: %s", got)
	}
	begun := boot(t, "t-limits")
	must(t, "set-property", "t-limits", "memory=512M", "cpus=1.5", "pids=600")
	if got := limitsOf(t); got != "536870912 150000 600" {
		t.Errorf("set: %s", got)
	}
	if o := run(t, "needs-restart", "t-limits"); o.status != 0 || o.stdout+o.stderr != "" {
		t.Errorf("it needs a restart: %+v", o)
	}
	before := described(t, "t-limits")
	said := must(t, "set-property", "--runtime", "t-limits", "memory=700M", "pids=700")
	if got := limitsOf(t); got != "734003200 150000 700" || !strings.Contains(said, "until it stops") {
		t.Errorf("until the stop: %s, %s", got, said)
	}
	if got := must(t, "status", "t-limits"); !strings.Contains(got, "(limit 700") {
		t.Errorf("status tells of other limits: %s", got)
	}
	// The config is as before. What cannot be leaves all as it is.
	for wrong, want := range map[string]string{
		"memory=1X": "1X", "start-timeout=1m": "from the next start on", "colour=blue": "is no limit", "pids=800": "twice",
	} {
		refused(t, run(t, "set-property", "t-limits", "pids=900", wrong), want)
	}
	refused(t, run(t, "set-property", "t-limits"), "say what to set")
	if described(t, "t-limits") != before || limitsOf(t) != "734003200 150000 700" {
		t.Errorf("what was refused has changed something: %s\n%s", limitsOf(t), described(t, "t-limits"))
	}
	must(t, "pause", "t-limits")
	must(t, "set-property", "-q", "t-limits", "cpus=")
	must(t, "resume", "t-limits")
	if got := limitsOf(t); got != "734003200  700" || boot(t, "t-limits") != begun {
		t.Errorf("without a bound of CPUs: %s", got)
	}
	must(t, "stop", "t-limits")
	must(t, "start", "t-limits")
	if got := limitsOf(t); got != "536870912  600" {
		t.Errorf("after a restart: %s", got)
	}
	if got := must(t, "set-property", "--json", "t-limits", "pids="); !strings.Contains(got, `"name": "t-limits"`) {
		t.Errorf("json: %s", got)
	}
	if s := described(t, "t-limits"); strings.Contains(s, "cpus=") || !strings.Contains(s, "memory=512M") {
		t.Errorf("the config: %s", s)
	}
	remove(t, "t-limits")
}

// File systems in memory of a running sandbox get other sizes without a restart, and none that is smaller than what it
// holds.
func TestSetPropertyOfSizes(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	create(t, "t-limits", "-C", "-u", "apache2")
	must(t, "set-property", "t-limits", "run-size=32M", "tmp-size=48M", "shm-size=24M")
	must(t, "start", "t-limits")
	begun := boot(t, "t-limits")
	sizes := func(want ...int) {
		t.Helper()
		got := strings.Fields(inside(t, "t-limits", "df -B1M --output=size /run /tmp /dev/shm | tail -n +2"))
		for i := range want {
			if got[i] != strconv.Itoa(want[i]) {
				t.Errorf("sizes %v MiB, want %v", got, want)
			}
		}
	}
	sizes(32, 48, 24)
	inside(t, "t-limits", "head -c 20M /dev/zero >/tmp/x")
	must(t, "set-property", "t-limits", "run-size=64M", "tmp-size=24M", "shm-size=96M")
	sizes(64, 24, 96)
	if o := run(t, "needs-restart", "t-limits"); o.status != 0 || o.stdout+o.stderr != "" {
		t.Errorf("it needs a restart: %+v", o)
	}
	refused(t, run(t, "set-property", "t-limits", "shm-size=32M", "tmp-size=1M"), "bytes are in use there")
	sizes(64, 24, 96)
	must(t, "set-property", "--runtime", "t-limits", "tmp-size=200M")
	inside(t, "t-limits", "head -c 100M /dev/zero >/tmp/x; rm /tmp/x")
	sizes(64, 200, 96)
	if s := described(t, "t-limits"); !strings.Contains(s, "tmp-size=24M") || boot(t, "t-limits") != begun {
		t.Errorf("the config: %s", s)
	}
	remove(t, "t-limits")
}
