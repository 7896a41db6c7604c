// SPDX-License-Identifier: Apache-2.0

// Package bench measures what a sandbox costs beside what does the same without one, in one run. It needs root, an
// lxc:/// that answers, and the built programs: make bench provides all.
package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const rounds = 10

// A command in a sandbox takes no longer than libvirt does for its smallest container, by hand.
func TestCommand(t *testing.T) {
	rig.On(t, rig.Bench)
	program := built(t)
	description := filepath.Join(t.TempDir(), "bare.xml")
	xml := `<domain type='lxc'><name>bench-bare</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
<os><type>exe</type><init>/bin/true</init></os>
<devices><filesystem type='mount'><source dir='/'/><target dir='/'/><readonly/></filesystem>
<console type='pty'/></devices></domain>`
	if err := os.WriteFile(description, []byte(xml), 0o644); err != nil {
		t.Fatal(err)
	}
	var ours, bare []time.Duration
	for len(bare) < rounds || len(ours) < rounds {
		ours = append(ours, timed(func() { run(t, exec.Command(program, "-c", "lxc:///", "/bin/true")) }))
		var hung bool
		took := timed(func() { hung = byHand(t, description) })
		if hung {
			t.Log("libvirt missed the end of its init; not counted")
			continue
		}
		bare = append(bare, took)
	}
	a, b := median(ours), median(bare)
	fmt.Printf("virt-sandbox -c lxc:/// /bin/true: %v; virsh create of /bin/true, and polling until it is gone: %v "+
		"(medians of %d)\n", a, b, rounds)
	if a > b {
		t.Errorf("virt-sandbox takes %v, libvirt by hand %v", a, b)
	}
}

// byHand runs the smallest container; true where libvirt does not see its end, which now and then it does not when that
// comes before it looks.
func byHand(t *testing.T, description string) (hung bool) {
	create := exec.Command("virsh", "-q", "-c", "lxc:///", "create", description)
	if out, err := create.CombinedOutput(); strings.Contains(string(out), "Timed out") {
		return true
	} else if err != nil {
		t.Fatalf("%v: %v\n%s", create.Args, err, out)
	}
	for begun := time.Now(); exec.Command("virsh", "-q", "-c", "lxc:///", "domstate", "bench-bare").Run() == nil; {
		if time.Since(begun) > 3*time.Second {
			run(t, exec.Command("virsh", "-q", "-c", "lxc:///", "destroy", "bench-bare"))
			return true
		}
	}
	return false
}

// Standard output of a sandbox, once that is there, is at least half as fast as a pipe without one.
func TestOutput(t *testing.T) {
	rig.On(t, rig.Bench)
	program := built(t)
	var ours, starts, bare []time.Duration
	for range rounds {
		ours = append(ours, timed(func() { pipe(t, program+" -c lxc:/// ") }))
		starts = append(starts, timed(func() { run(t, exec.Command(program, "-c", "lxc:///", "/bin/true")) }))
		bare = append(bare, timed(func() { pipe(t, "") }))
	}
	a, start, b := median(ours), median(starts), median(bare)
	fmt.Printf("1 GiB through standard output: %v, of which start and end take %v; through a plain pipe: %v "+
		"(medians of %d)\n", a, start, b, rounds)
	if a-start > 2*b {
		t.Errorf("a sandbox takes %v, a pipe %v", a-start, b)
	}
}

// pipe writes and reads 1 GiB, the former by a program.
func pipe(t *testing.T, by string) {
	t.Helper()
	const size = 1 << 30
	out, err := exec.Command("sh", "-c", by+"head -c "+fmt.Sprint(size)+
		" /dev/zero | { cat >/dev/null; echo read; }").Output()
	if err != nil || string(out) != "read\n" {
		t.Fatalf("%q, %v", out, err)
	}
}

func built(t *testing.T) string {
	program, err := filepath.Abs("../../bin/virt-sandbox")
	if err != nil {
		t.Fatal(err)
	}
	return program
}

func run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, out)
	}
}

func timed(f func()) time.Duration {
	begun := time.Now()
	f()
	return time.Since(begun)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2].Round(time.Millisecond)
}
