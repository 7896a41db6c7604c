// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

func TestReloadWithoutSystemd(t *testing.T) {
	b := &fakeBus{}
	c := newClient(b)
	c.booted = func() bool { return false }
	if err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	checkCalls(t, b)
}

// TestReloadOnce: whether a reload is needed is for the caller's function to say.
func TestReloadOnce(t *testing.T) {
	b := &fakeBus{}
	c := newClient(b)
	c.once = func(context.Context, func() error) error { return nil }
	if err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	checkCalls(t, b)
}

func TestBatchReloads(t *testing.T) {
	b := &fakeBus{}
	c := newClient(b)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.BatchReloads(ctx, func() {
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := c.Reload(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		checkCalls(t, b)
		cancel() // what is pending is done all the same
	})
	if err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "reload")
	if err := c.BatchReloads(t.Context(), func() {}); err != nil {
		t.Error(err)
	}
	if err := c.Reload(t.Context()); err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "reload", "reload")
}

func TestOverlappingBatches(t *testing.T) {
	b := &fakeBus{}
	c := newClient(b)
	err := c.BatchReloads(t.Context(), func() {
		if err := c.BatchReloads(t.Context(), func() {
			if err := c.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Error(err)
		}
		checkCalls(t, b)
	})
	if err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "reload")
}

func TestOwn(t *testing.T) {
	tests := []struct {
		name string
		job  dbus.JobStatus
		want OwnUnit
	}{
		{"no job", dbus.JobStatus{}, OwnUnit{}},
		{"a start", dbus.JobStatus{Unit: unitName, JobType: "start", Status: "running"}, OwnUnit{Starting: true}},
		{"a start that waits", dbus.JobStatus{Unit: unitName, JobType: "start", Status: "waiting"}, OwnUnit{Queued: true}},
		{"another's stop", dbus.JobStatus{Unit: "other.service", JobType: "stop"}, OwnUnit{}},
		{"a stop", dbus.JobStatus{Unit: unitName, JobType: "stop", Status: "waiting"}, OwnUnit{Stopping: true}},
		{"a restart", dbus.JobStatus{Unit: unitName, JobType: "restart"}, OwnUnit{Stopping: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.Name = unitName
			own, err := newClient(&fakeBus{jobs: []dbus.JobStatus{test.job}}).Own(t.Context())
			if err != nil || own != test.want {
				t.Errorf("got %+v, %v", own, err)
			}
		})
	}
}

// TestStartAgain: the unit is still ending, so that nobody waits for its start.
func TestStartAgain(t *testing.T) {
	b := &fakeBus{}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := newClient(b).StartAgain(ctx, OwnUnit{Name: unitName}, false); err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "start web_sandbox.service fail")
	b.calls = nil
	if err := newClient(b).StartAgain(ctx, OwnUnit{Name: unitName}, true); err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "reset web_sandbox.service", "start web_sandbox.service fail")
	// One more start would become part of that which fails.
	b.calls = nil
	if err := newClient(b).StartAgain(ctx, OwnUnit{Name: unitName, Starting: true}, false); err != nil {
		t.Error(err)
	}
	checkCalls(t, b, "restart web_sandbox.service fail")
}
