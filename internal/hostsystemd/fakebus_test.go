// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

const (
	unitName = "web_sandbox.service"
	source   = "/etc/libvirt-sandbox/services/web.sandbox"
)

// fakeBus is a systemd that has one unit at most and notes what it is asked to do.
type fakeBus struct {
	mu         sync.Mutex
	calls      []string
	properties map[string]any // of the unit
	afterLoad  map[string]any // those after a reload, where it changes them
	result     string         // of each job
	failure    error          // of each call that makes a job
	jobs       []dbus.JobStatus
}

func (b *fakeBus) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, fmt.Sprintf(format, args...))
}

func (b *fakeBus) job(done chan<- string) (int, error) {
	if b.failure != nil {
		return 0, b.failure
	}
	if done != nil {
		done <- b.result
	}
	return 1, nil
}

func (b *fakeBus) GetUnitPropertiesContext(_ context.Context, unit string) (map[string]any, error) {
	if unit != unitName {
		return nil, errors.New("no such unit")
	}
	return b.properties, nil
}

func (b *fakeBus) GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error) {
	return b.GetUnitPropertiesContext(ctx, unit)
}

func (b *fakeBus) GetUnitNameByPID(context.Context, uint32) (string, error) { return unitName, nil }

func (b *fakeBus) ListJobsContext(context.Context) ([]dbus.JobStatus, error) { return b.jobs, nil }

func (b *fakeBus) StartUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	b.note("start %s %s", unit, mode)
	return b.job(done)
}

func (b *fakeBus) RestartUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	b.note("restart %s %s", unit, mode)
	return b.job(done)
}

func (b *fakeBus) StopUnitContext(_ context.Context, unit, mode string, done chan<- string) (int, error) {
	b.note("stop %s %s", unit, mode)
	return b.job(done)
}

func (b *fakeBus) StartTransientUnitContext(
	_ context.Context,
	unit, mode string,
	p []dbus.Property,
	done chan<- string,
) (int, error) {
	var names []string
	for _, property := range p {
		names = append(names, property.Name)
	}
	b.note("run %s %s %s", unit, mode, strings.Join(names, ","))
	return b.job(done)
}

func (b *fakeBus) ResetFailedUnitContext(_ context.Context, unit string) error {
	b.note("reset %s", unit)
	return nil
}

func (b *fakeBus) ReloadContext(context.Context) error {
	b.note("reload")
	if b.afterLoad != nil {
		b.properties = b.afterLoad
	}
	return nil
}

func (b *fakeBus) Close() {}

// newClient returns a client of the fake, on a host that was booted with systemd.
func newClient(b *fakeBus) *Client {
	if b.result == "" {
		b.result = "done"
	}
	connect := func(context.Context) (bus, error) { return b, nil }
	return &Client{
		connect: connect, private: connect, booted: func() bool { return true },
		journal: func(_ context.Context, invocation string) ([]byte, error) {
			return []byte("first line of " + invocation + "\nlast \x1bline\n"), nil
		},
		once: func(_ context.Context, reload func() error) error { return reload() },
	}
}

// unitProperties are those of a unit that was loaded from source.
func unitProperties(active string) map[string]any {
	return map[string]any{
		"SourcePath": source, "LoadState": "loaded", "ActiveState": active, "InvocationID": []byte{0xab, 0xcd},
		"InactiveEnterTimestamp": uint64(1_700_000_000_000_000), "Result": "exit-code",
	}
}

func noSuchUnit() error { return godbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit"} }

func checkCalls(t *testing.T, b *fakeBus, want ...string) {
	t.Helper()
	if got := strings.Join(b.calls, "; "); got != strings.Join(want, "; ") {
		t.Errorf("systemd was asked to %q, want %q", got, strings.Join(want, "; "))
	}
}
