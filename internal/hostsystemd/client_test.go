// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"errors"
	"testing"

	godbus "github.com/godbus/dbus/v5"
)

// TestInsist: a systemd that executes itself anew refuses for a moment, and nobody insists who does not wait any more.
func TestInsist(t *testing.T) {
	refused, calls := errors.New("refused"), 0
	late := func() (bus, error) {
		if calls++; calls < 3 {
			return nil, refused
		}
		return nil, nil
	}
	if _, err := insist(t.Context(), late); err != nil || calls != 3 {
		t.Errorf("after %d attempts: %v", calls, err)
	}
	calls = 0
	refuse := func() (bus, error) { calls++; return nil, godbus.Error{Name: "org.freedesktop.systemd1.Conflict"} }
	if _, err := insist(t.Context(), refuse); err == nil || calls != 1 {
		t.Errorf("after a refusal and %d attempts: %v", calls, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls = 0
	if _, err := insist(ctx, late); !errors.Is(err, refused) || calls != 1 {
		t.Errorf("after %d attempts: %v", calls, err)
	}
}
