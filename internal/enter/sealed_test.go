// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSealed: the copy is the program's, and nobody can write to it.
func TestSealed(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copied, err := sealed(program)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	want, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := copied.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the copy is another: %v", err)
	}
	if _, err := copied.WriteAt([]byte("x"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("writing to it: %v", err)
	}
	if err := copied.Truncate(0); !errors.Is(err, unix.EPERM) {
		t.Errorf("cutting it: %v", err)
	}
}

// TestSealWaits: what holds pages of the file for a moment, as the kernel does on a busy machine, is waited for.
func TestSealWaits(t *testing.T) {
	fd, err := memory()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, 4096); err != nil {
		t.Fatal(err)
	}
	held, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = unix.Munmap(held) })
	if err := seal(fd); err != nil {
		t.Error(err)
	}
}
