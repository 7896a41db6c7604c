// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Who is not root is told by files how sandboxes are, without libvirt and without looking inside: what runs, what does
// not, and what files do not tell.
func TestOnlooker(t *testing.T) {
	h := newHost(t)
	h.libvirt.noAnswer, h.inner.closed = errors.New("libvirt was asked"), errors.New("a container was asked")
	h.byFiles = true
	self, err := enter.ProcessOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	other := self
	other.Begun++ // a process that had the number before
	up := func(name string, phase places.Phase, first enter.Process) {
		h.up(h.command(name), phase)
		if err := h.run(name).Update(func(s *places.State) { s.Admission = &enter.Admission{Init: first} }); err != nil {
			t.Fatal(err)
		}
	}
	h.command("down")
	up("up", places.PhaseReady, self)
	up("degraded", places.PhaseReady, self)
	up("ended", places.PhaseReady, other)
	up("starting", places.PhaseStarting, self)
	up("left", places.PhaseStarting, other)
	h.up(h.command("closed"), places.PhaseReady)
	h.up(h.command("newer"), places.PhaseReady)
	state := filepath.Join(h.run("closed").Path(), "state.json")
	if err := errors.Join(
		h.run("degraded").NoteDegraded(),
		os.Remove(state), os.Symlink(filepath.Base(state), state), // unreadable, for root too
		os.WriteFile(filepath.Join(h.run("newer").Path(), "state.json"), []byte(`{"format":999,"phase":"ready"}`), 0o600),
		os.WriteFile(h.Store.Path("odd"), []byte("nonsense"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"down": "stopped", "up": "running", "degraded": "degraded", "ended": "stopped", "starting": "starting",
		"left": "stopped", "closed": "unknown", "newer": "unknown", "odd": "unusable",
	}
	list, err := h.List(t.Context())
	if !errors.Is(err, ErrNotShown) || len(list) != len(want) {
		t.Errorf("%d rows, %v", len(list), err)
	}
	for _, row := range list {
		if row.State != want[row.Name] {
			t.Errorf("list: %s is %q, not %q", row.Name, row.State, want[row.Name])
		}
		if (row.Since != nil) != row.IsRunning() {
			t.Errorf("list: %s, since %v", row.Name, row.Since)
		}
		d, err := h.Details(t.Context(), row.Name)
		if err != nil || d.State != want[row.Name] || len(d.InnerUnits) > 0 {
			t.Errorf("status: %s is %+v, %v", row.Name, d, err)
		}
	}
	if _, err := h.Details(t.Context(), "none"); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("of none: %v", err)
	}
}
