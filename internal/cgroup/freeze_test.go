// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFreezeForking: a group whose processes start others all the time is halted each time. With cgroup version 1
// many tries are stuck: the parent of a vfork waits in the kernel for a child that is frozen already.
func TestFreezeForking(t *testing.T) {
	hierarchy := Root
	if _, err := os.Stat(hierarchy + "/freezer/tasks"); err == nil {
		hierarchy += "/freezer"
	}
	// What is to be killed with its parent is so with the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	group := filepath.Join(hierarchy, "virt-sandbox-test-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("this process may make no cgroup: %v", err)
	}
	forking := exec.Command("sh", "-c", "read go; while :; do /bin/true; done")
	forking.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	stdin, err := forking.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := forking.Start(); err != nil {
		t.Fatal(err)
	}
	f := Freezer(group)
	t.Cleanup(func() {
		if err := errors.Join(unix.Kill(-forking.Process.Pid, unix.SIGKILL), f.Thaw()); err != nil {
			t.Error(err)
		}
		_ = forking.Wait()
		if err := removeOne(group); err != nil {
			t.Error(err)
		}
	})
	if err := move(forking.Process.Pid, group); err != nil {
		t.Fatal(err)
	}
	if _, err := stdin.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; {
		if pids, err := os.ReadFile(filepath.Join(group, "cgroup.procs")); err != nil || time.Since(begun) > 10*time.Second {
			t.Fatalf("the group's processes start no others: %q (%v)", pids, err)
		} else if strings.Count(string(pids), "\n") > 1 {
			break
		}
	}
	for range 8 {
		time.Sleep(5 * time.Millisecond)
		if err := f.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := f.Thaw(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFreezeFiles: each version has files and words of its own.
func TestFreezeFiles(t *testing.T) {
	dir := t.TempDir()
	f := Freezer(dir)
	write(t, dir+"/cgroup.events", "populated 1\nfrozen 1\n")
	if err := f.Freeze(t.Context()); err != nil || read(t, dir+"/cgroup.freeze") != "1" {
		t.Errorf("version 2: %v, %q", err, read(t, dir+"/cgroup.freeze"))
	}
	if err := f.Thaw(); err != nil || read(t, dir+"/cgroup.freeze") != "0" {
		t.Errorf("version 2: %v, %q", err, read(t, dir+"/cgroup.freeze"))
	}
	write(t, dir+"/cgroup.events", "populated 1\nfrozen 0\n")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Freeze(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("one that does not stand still: %v", err)
	}
	if err := Freezer(dir + "/gone").Thaw(); err != nil {
		t.Errorf("one that is gone: %v", err)
	}
	write(t, dir+"/freezer.state", "THAWED\n")
	if err := f.Thaw(); err != nil || read(t, dir+"/freezer.state") != "THAWED" {
		t.Errorf("version 1: %v, %q", err, read(t, dir+"/freezer.state"))
	}
}

func TestFindFreezer(t *testing.T) {
	const group = "/machine/lxc-12-web.libvirt-lxc"
	version1 := map[string]string{"freezer": "freezer", "": "unified"}
	for _, c := range []struct {
		hierarchies map[string]string
		text, want  string
	}{
		{map[string]string{"": ""}, "0::" + group + "/virt-sandbox-web/init.scope\n", group},
		{version1, "3:freezer:" + group + "\n0::/x\n", "/freezer" + group},
		{version1, "3:freezer:/\n0::/x/virt-sandbox-web/y\n", "/unified/x/virt-sandbox-web"},
		{map[string]string{"": ""}, "0::/system.slice\n", ""},
	} {
		tree := fakeTree(t, c.hierarchies, 7, c.text)
		got, err := groupsOf(t, tree).Freezer("web")
		if (err != nil) != (c.want == "") || c.want != "" && string(got) != tree.Root+c.want {
			t.Errorf("%q: got %s, %v", c.text, got, err)
		}
	}
}

// TestThawAll: all groups of a sandbox are thawed, of both versions, and no others.
func TestThawAll(t *testing.T) {
	const group = "/machine/lxc-12-web.libvirt-lxc"
	text := "3:freezer:" + group + "/virt-sandbox-web/a\n0::" + group + "/virt-sandbox-web/init.scope\n"
	tree := fakeTree(t, map[string]string{"freezer": "freezer", "": "unified"}, 7, text)
	ours := []string{
		"/freezer" + group, "/freezer" + group + "/virt-sandbox-web/a", "/freezer" + group + "/virt-sandbox-web/b/c",
		"/unified" + group + "/virt-sandbox-web/frozen",
	}
	others := []string{"/freezer/machine/lxc-13-other.libvirt-lxc", "/unified/machine"}
	file := func(dir string) (name, frozen, thawed string) {
		if strings.HasPrefix(dir, "/freezer") {
			return tree.Root + dir + "/freezer.state", "FROZEN", "THAWED"
		}
		return tree.Root + dir + "/cgroup.freeze", "1", "0"
	}
	for _, dir := range append(slices.Clone(ours), others...) {
		name, frozen, _ := file(dir)
		write(t, name, frozen)
	}
	groupsOf(t, tree).Thaw("web")
	for _, dir := range ours {
		if name, _, thawed := file(dir); read(t, name) != thawed {
			t.Errorf("%s says %s", name, read(t, name))
		}
	}
	for _, dir := range others {
		if name, frozen, _ := file(dir); read(t, name) != frozen {
			t.Errorf("%s says %s", name, read(t, name))
		}
	}
	(Groups{}).Thaw("web")
	end := groupsOf(t, tree).KeepThawed("web")
	defer end()
	again, frozen, thawed := file(ours[1])
	write(t, again, frozen)
	for begun := time.Now(); read(t, again) != thawed; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("what is frozen again stays so")
		}
	}
}
