// SPDX-License-Identifier: Apache-2.0

package namespace

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWithRootOf: what is made belongs to root of the container, and the rights are those of the host's root.
func TestWithRootOf(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	closed := t.TempDir()
	if err := errors.Join(os.Chown(closed, 5, 5), os.Chmod(closed, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, id := range []uint32{0, 100000} {
		file := closed + "/file"
		err := WithRootOf(id, func() error { return os.WriteFile(file, nil, 0o600) })
		if err != nil {
			t.Errorf("as %d: %v", id, err)
		}
		var stat unix.Stat_t
		if err := unix.Stat(file, &stat); err != nil || stat.Uid != id || stat.Gid != id {
			t.Errorf("as %d: it belongs to %d:%d (%v)", id, stat.Uid, stat.Gid, err)
		}
		if err := WithRootOf(id, func() error { return errOfFunction }); !errors.Is(err, errOfFunction) {
			t.Errorf("got %v", err)
		}
		uid, _, _ := unix.RawSyscall(unix.SYS_GETEUID, 0, 0, 0)
		bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
		if uid != 0 || bits != 0 || err != nil {
			t.Errorf("afterwards the user is %d, the bits are %x (%v)", uid, bits, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}
