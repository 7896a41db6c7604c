// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// TestJournal: what is passed on lies in the content, and with store=host in the container's memory, whose files belong
// to the ids of its user namespace. Of a container that has ended there is no memory to look into.
func TestJournal(t *testing.T) {
	h, _ := newHost(t)
	h.Configs.States = statefile.Dir(t.TempDir())
	s, _ := sandbox(t, h)
	s.MachineID, s.Hardening.IDMap = "0123456789abcdef0123456789abcdef", config.IDMap{Base: 1 << 20, Count: 65536}
	first := exec.Command("sleep", "1000")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() {
		_ = first.Process.Kill()
		_ = first.Wait()
	}
	defer end()
	init, err := proc.Open(first.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	kept, err := h.Journal(s, time.Now(), init.File())
	if err != nil {
		t.Fatal(err)
	}
	s.Forward, s.Store = config.ForwardAll, config.StoreHost
	volatile, err := h.Journal(s, time.Now(), init.File())
	if err != nil {
		t.Fatal(err)
	}
	run, err := filepath.EvalSymlinks("/run")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source *os.File
		want   string
	}{{kept.Content, s.Content}, {volatile.Content, run}} {
		if got, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(c.source.Fd()))); err != nil || got != c.want {
			t.Errorf("it looks into %s, want %s (%v)", got, c.want, err)
		}
	}
	if kept.Dir != "var/log/journal/"+s.MachineID || volatile.Dir != "log/journal/"+s.MachineID {
		t.Errorf("it looks at %s and %s", kept.Dir, volatile.Dir)
	}
	if volatile.Readers != kept.Readers+1<<20 {
		t.Errorf("the groups are %d and %d", kept.Readers, volatile.Readers)
	}
	if len(volatile.Units) > 0 || !slices.Contains(kept.Units, "web.service") {
		t.Errorf("the units are %q and %q", kept.Units, volatile.Units)
	}
	end()
	if source, err := h.Journal(s, time.Now(), init.File()); err == nil {
		t.Errorf("of one that has ended: %+v", source)
	}
}
