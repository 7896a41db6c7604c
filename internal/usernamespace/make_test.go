// SPDX-License-Identifier: Apache-2.0

package usernamespace

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it makes user namespaces with ids, which needs root")
	}
}

// Each has the ids that were asked for, and no process is left.
func TestMake(t *testing.T) {
	needRoot(t)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			ids := Range{Inside: 5, Outside: uint32(1<<30 + i<<16), Count: 65536}
			namespace, err := Make(ids)
			if err != nil {
				t.Error(err)
				return
			}
			defer namespace.Close()
			want := fmt.Sprintf("%d %d %d", ids.Inside, ids.Outside, ids.Count)
			for _, file := range []string{"uid_map", "gid_map"} {
				enter := exec.Command("nsenter", "--user=/proc/self/fd/3", "--preserve-credentials", "cat", "/proc/self/"+file)
				enter.ExtraFiles = []*os.File{namespace}
				out, err := enter.CombinedOutput()
				if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != want {
					t.Errorf("%s is %q, not %q: %v", file, got, want, err)
				}
			}
		})
	}
	wait.Wait()
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); err != unix.ECHILD {
		t.Errorf("process %d is left (%v)", pid, err)
	}
}

// Ids that the kernel refuses are told of, and leave no process either.
func TestMakeRefused(t *testing.T) {
	needRoot(t)
	if namespace, err := Make(Range{Count: 0}); err == nil {
		namespace.Close()
		t.Error("made with no ids")
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG|unix.WALL, nil); err != unix.ECHILD {
		t.Errorf("process %d is left (%v)", pid, err)
	}
}

// BenchmarkMake: two of them are made at each start.
func BenchmarkMake(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("it needs root")
	}
	for b.Loop() {
		namespace, err := Make(Range{0, 1 << 30, 65536})
		if err != nil {
			b.Fatal(err)
		}
		namespace.Close()
	}
}
