// SPDX-License-Identifier: Apache-2.0

package limiting

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/editing"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/staleness"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"memory=1G": "", "cpus= 2 ": "", "pids=": "", "memory": "KEY=VALUE", "run-size=1G": "", "shm-size=": "",
		"start-timeout=1m": "from the next start on", "memroy=1G": "memroy= is no limit; did you mean memory=?",
		"x\x1b=1":     "x?= is no limit that can be changed; those are cpus, memory, pids, run-size, tmp-size, shm-size",
		"memory=much": `memory=: "much" is not a size`, "cpus=0": "cpus=: ", "pids=-1": "pids=: ",
	} {
		_, err := Parse(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSet: the config changes of one that is down; of one that is up and cannot have a limit, nothing does.
func TestSet(t *testing.T) {
	store, root := config.Store{Dir: t.TempDir()}, t.TempDir()
	const text = "[sandbox]\nformat=2\nunit=x.service\n"
	if err := os.WriteFile(store.Path("web"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	reloads := 0
	s := Setter{Root: root, Editor: &editing.Editor{
		Configs: store, Lock: func(context.Context, string) (*lockfile.Lock, error) { return nil, nil },
		Reload: func(context.Context) error { reloads++; return nil },
	}}
	set := func(untilStop bool, settings ...Setting) error { return s.Set(t.Context(), "web", settings, untilStop) }
	memory := func() config.Size {
		web, err := store.Load("web")
		if err != nil {
			t.Fatal(err)
		}
		return web.Limits.Memory
	}
	if err := set(true, Setting{"memory", "1G"}); !errors.Is(err, staleness.ErrNotRunning) || memory() != 0 {
		t.Errorf("until it stops, of one that is down: %v, %d", err, memory())
	}
	if err := set(false, Setting{"memory", "1G"}); err != nil || memory() != 1<<30 || reloads != 1 {
		t.Errorf("of one that is down: %v, %d, %d reloads", err, memory(), reloads)
	}
	run := places.Root(root).Of("web").Run()
	up, err := store.Load("web")
	if err != nil {
		t.Fatal(err)
	}
	self, err := enter.ProcessOf(os.Getpid())
	cgroupFile := filepath.Join(root, string(proc.Host), strconv.Itoa(os.Getpid()), "cgroup")
	err = errors.Join(err, run.Make("init"), run.Record(up), os.MkdirAll(filepath.Dir(cgroupFile), 0o755),
		os.WriteFile(cgroupFile, []byte("0::/x\n"), 0o644), run.Update(func(state *places.State) {
			state.Phase, state.Admission = places.PhaseReady, &enter.Admission{Init: self}
		}))
	if err != nil {
		t.Fatal(err)
	}
	if err := set(false, Setting{"memory", "2G"}); err == nil || !strings.Contains(err.Error(), "MemoryMax") {
		t.Errorf("of one whose host has no such groups: %v", err)
	}
	if was, err := run.Recorded(); memory() != 1<<30 || err != nil || was.Limits.Memory != 1<<30 {
		t.Errorf("it has changed: %d, %+v, %v", memory(), was, err)
	}
	// What the config has mounted over it stays as it is.
	covered := *up
	covered.Mounts = []config.Mount{{Kind: config.MountRAM, Target: "/tmp", Size: 1 << 20}}
	if err := errors.Join(run.Record(&covered), set(true, Setting{"tmp-size", "1G"})); err == nil ||
		err.Error() != "tmp-size= does not count: the sandbox has a mount of its own at /tmp" {
		t.Errorf("of one with another mount there: %v", err)
	}
	if err := run.Record(up); err != nil {
		t.Fatal(err)
	}
	// The number may be another's by now: then the sandbox is down.
	err = run.Update(func(state *places.State) { state.Admission.Init.Begun++ })
	if err = errors.Join(err, set(false, Setting{"memory", "2G"})); err != nil || memory() != 2<<30 {
		t.Errorf("of one that has ended: %v, %d", err, memory())
	}
}
