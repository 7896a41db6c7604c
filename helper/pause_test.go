// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// TestPause: a sandbox that is up stands still and goes on, however often it is told; one that is down or half way does
// neither.
func TestPause(t *testing.T) {
	h := newHost(t)
	s := h.service()
	if err := SetPaused(t.Context(), h.Manager, "web", true); !errors.Is(err, ErrNotRunning) {
		t.Errorf("of one that is down: %v", err)
	}
	domain := h.up(s, places.PhaseReady)
	for _, paused := range []bool{true, true, false, false} {
		if err := SetPaused(t.Context(), h.Manager, "web", paused); err != nil || domain.paused != paused {
			t.Errorf("paused %t, want %t, %v", domain.paused, paused, err)
		}
	}
	if err := h.run("web").SetPhase(places.PhaseStopping); err != nil {
		t.Fatal(err)
	}
	says(t, SetPaused(t.Context(), h.Manager, "web", true), "left web half way")
}
