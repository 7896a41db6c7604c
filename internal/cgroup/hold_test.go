// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestHold: the file of the topmost group that the container sees is open, also for what this process executes.
func TestHold(t *testing.T) {
	root := t.TempDir()
	top := filepath.Join(root, "machine.slice/libvirt", OwnName("web"))
	if err := os.MkdirAll(top+"/init.scope", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := (Groups{root, map[string]string{"": top + "/init.scope"}}).Hold("web"); err == nil {
		t.Error("a file that is not there is held")
	}
	want := top + "/cgroup.procs"
	if err := os.WriteFile(want, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (Groups{root, map[string]string{"": top + "/init.scope"}}).Hold("web"); err != nil {
		t.Fatal(err)
	}
	var held []int
	for fd := range 64 {
		var a, b unix.Stat_t
		if unix.Fstat(fd, &a) == nil && unix.Stat(want, &b) == nil && a.Ino == b.Ino && a.Dev == b.Dev {
			held = append(held, fd)
		}
	}
	inherited := func(fd int) bool {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return err == nil && flags&unix.FD_CLOEXEC == 0
	}
	if len(held) != 1 || !slices.ContainsFunc(held, inherited) {
		t.Errorf("held are %v", held)
	}
	for _, fd := range held {
		unix.Close(fd)
	}
	if err := (Groups{root, map[string]string{"pids": top}}).Hold("web"); err != nil {
		t.Errorf("a host without version 2: %v", err)
	}
}
