// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// With the sysctl settings of an installation, root inside uses its own memory up and not what the host has of
// asynchronous input and output.
func TestAsynchronousBudget(t *testing.T) {
	rig.On(t, rig.Native)
	rig.SetSysctl(t)
	installUnits(t)
	create(t, "t-aio", "-u", "vst-forking")
	edit(t, "t-aio", "pids=4096", "pids=4096\nmemory=100M")
	must(t, "start", "t-aio")
	// Ten times what the kernel has otherwise, which are 42 MB.
	inside(t, "t-aio", "systemd-run --quiet --unit=attack perl -e 'for (1..40) { my $c = pack(\"Q\", 0); "+
		"syscall(206, 16384, $c) } sleep 300'; sleep 2")
	var context uint64
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 128, uintptr(unsafe.Pointer(&context)), 0); errno != 0 {
		t.Errorf("asynchronous requests on the host: %v", errno)
		return
	}
	_, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, uintptr(context), 0, 0)
}

// With them root inside uses up no more of inotify than its memory either.
func TestInotifyBudget(t *testing.T) {
	rig.On(t, rig.Native)
	rig.SetSysctl(t)
	installUnits(t)
	for _, ids := range [][]string{nil, {"--idmap", "auto"}} {
		create(t, "t-inotify", append(ids, "-u", "vst-forking")...)
		edit(t, "t-inotify", "pids=4096", "pids=4096\nmemory=100M")
		must(t, "start", "t-inotify")
		// 40 processes with some 20000 each would be 800 MB.
		inside(t, "t-inotify", "systemd-run --quiet --unit=attack perl -e 'for (1..40) { fork or last } "+
			"while (1) { syscall(294, 0) < 0 and sleep 1 }'; sleep 5")
		fd, err := unix.InotifyInit()
		if err != nil {
			t.Errorf("%q: inotify on the host: %v", ids, err)
		} else {
			unix.Close(fd)
		}
		remove(t, "t-inotify")
	}
}
