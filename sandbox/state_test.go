// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestStateDirMeetsSweep: a directory that somebody else has taken for one of a killed process is made once more.
func TestStateDirMeetsSweep(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	for n := range 200 {
		path, swept := filepath.Join(base, fmt.Sprint("box", n)), make(chan bool)
		go func() {
			defer close(swept)
			for t.Context().Err() == nil {
				fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
				if err != nil {
					continue
				}
				defer unix.Close(fd)
				if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) == nil {
					time.Sleep(2 * time.Millisecond)
					_ = os.Remove(path)
				}
				return
			}
		}()
		made, err := makeStateDir(base, filepath.Base(path))
		if err != nil {
			t.Fatalf("round %d: %v", n, err)
		}
		<-swept
		made.lock.Close()
		_ = os.Remove(path)
	}
}
