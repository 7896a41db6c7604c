// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// One that is told to stop half way leaves nothing.
func TestCreateIsInterrupted(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	s := config.New("web")
	s.Units, s.Content = []string{"web.service"}, filepath.Join(h.content, "web")
	interrupt := errors.New("interrupted")
	err := h.provision(ctx, s, provisionSpec{fill: func() error {
		cancel(interrupt)
		return nil
	}})
	if !errors.Is(err, interrupt) {
		t.Errorf("got %v", err)
	}
	h.isGone(t, "web")
	if _, err := os.Lstat(filepath.Dir(h.content)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directories on the way are left: %v", err)
	}
}

// What cannot be filled leaves nothing, and the reason is what filling said.
func TestProvisionFails(t *testing.T) {
	h := newHost(t)
	s := config.New("web")
	s.Units, s.Content = []string{"web.service"}, filepath.Join(h.content, "web")
	broken := errors.New("broken")
	if err := h.provision(t.Context(), s, provisionSpec{fill: func() error { return broken }}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	h.isGone(t, "web")
}

// A sandbox that is made stays when the host's systemd does not read its unit.
func TestProvisionWithoutReload(t *testing.T) {
	h := newHost(t)
	h.broken = errors.New("no systemd")
	h.create(t, "web")
	h.warned(t, "web is made, but its unit is not loaded yet; run systemctl daemon-reload: no systemd")
	if _, err := h.Configs.Load("web"); err != nil {
		t.Error(err)
	}
}

// A level that comes from elsewhere gives way where it is another's; one that was asked for is refused.
func TestProvisionWithTakenLevel(t *testing.T) {
	h := newHost(t)
	taken := h.create(t, "web").Security.Level
	for _, givesWay := range []bool{true, false} {
		s := config.New("copy")
		s.Units, s.Content, s.Security.Level = []string{"web.service"}, filepath.Join(h.content, "copy"), taken
		how := provisionSpec{fill: func() error { return nil }, reallocateOnConflict: givesWay}
		err := h.provision(t.Context(), s, how)
		if !givesWay {
			says(t, err, taken)
			h.isGone(t, "copy")
			continue
		}
		if err != nil || s.Security.Level == taken {
			t.Errorf("level %s, %v", s.Security.Level, err)
		}
		if err := errors.Join(h.Configs.Remove("copy"), h.Host.Remove(s.Content), h.Stubs.Remove("copy")); err != nil {
			t.Fatal(err)
		}
	}
}
