// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/nameset"
	"github.com/virt-sandbox/virt-sandbox/internal/syscallfilter"
)

// The kernel takes the program of a container and answers by it.
func TestFilterSystemCalls(t *testing.T) {
	program, err := syscallfilter.Compile(syscallfilter.Policy{Calls: nameset.Set{Base: nameset.Auto}})
	if err != nil {
		t.Fatal(err)
	}
	if program == nil {
		t.Skipf("%s has no table of system calls", runtime.GOARCH)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // It ends with the goroutine, and the filter with it.
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			t.Error(err)
			return
		}
		begun := time.Now()
		if err := filterSystemCalls(program, 0); err != nil {
			t.Error(err)
			return
		}
		t.Logf("loaded in %v", time.Since(begun))
		if err := unix.Unshare(unix.CLONE_NEWUSER); !errors.Is(err, unix.EPERM) {
			t.Errorf("unshare: got %v, want %v", err, unix.EPERM)
		}
		_, err := unix.KeyctlInt(unix.KEYCTL_GET_KEYRING_ID, unix.KEY_SPEC_USER_KEYRING, 1, 0, 0)
		if !errors.Is(err, unix.EPERM) {
			t.Errorf("keyctl: got %v, want %v", err, unix.EPERM)
		}
		_, err = unix.FcntlInt(0, unix.F_SETLEASE, unix.F_WRLCK)
		if !errors.Is(err, unix.EPERM) {
			t.Errorf("a lease: got %v, want %v", err, unix.EPERM)
		}
		if _, _, err := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0); err != unix.ENOSYS {
			t.Errorf("clone3: got %v, want %v", err, unix.ENOSYS)
		}
		if err := unix.Access("/", unix.R_OK); err != nil {
			t.Errorf("access: %v", err)
		}
	}()
	<-done
}

// Keys of whoever starts a container are not there inside.
func TestLeaveKeyring(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // A session keyring is one thread's.
		if _, err := unix.KeyctlJoinSessionKeyring("virt-sandbox-test"); err != nil {
			t.Errorf("join a keyring: %v", err)
			return
		}
		if _, err := unix.AddKey("user", "virt-sandbox-test", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
			t.Errorf("add a key: %v", err)
			return
		}
		search := func() error {
			_, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "virt-sandbox-test", 0)
			return err
		}
		if err := search(); err != nil {
			t.Errorf("before: %v", err)
		}
		if err := leaveKeyring(); err != nil {
			t.Error(err)
		}
		if err := search(); !errors.Is(err, unix.ENOKEY) {
			t.Errorf("after: got %v, want %v", err, unix.ENOKEY)
		}
	}()
	<-done
}

// A program of another length than instructions have is refused.
func TestFilterSystemCallsRefuses(t *testing.T) {
	if err := filterSystemCalls(make([]byte, 12), 0); err == nil {
		t.Error("a program of one and a half instructions was taken")
	}
	if err := filterSystemCalls(nil, 0); err != nil {
		t.Errorf("no program: %v", err)
	}
}
