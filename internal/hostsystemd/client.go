// SPDX-License-Identifier: Apache-2.0

// Package hostsystemd talks to the systemd of this host over D-Bus: it starts and stops units, has unit files read
// again and asks what became of a unit. In: names of units and the configs that they are made from; out: states and
// errors in words for a person. The verbs of package helper call it, and nothing else does.
package hostsystemd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	"github.com/coreos/go-systemd/v22/util"
	godbus "github.com/godbus/dbus/v5"
)

// bus is what is used of a connection to systemd.
type bus interface {
	GetUnitPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	GetAllPropertiesContext(ctx context.Context, unit string) (map[string]any, error)
	GetUnitNameByPID(ctx context.Context, pid uint32) (string, error)
	ListJobsContext(ctx context.Context) ([]dbus.JobStatus, error)
	StartUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	RestartUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	StopUnitContext(ctx context.Context, unit, mode string, done chan<- string) (int, error)
	StartTransientUnitContext(ctx context.Context, unit, mode string, p []dbus.Property, done chan<- string) (int, error)
	ResetFailedUnitContext(ctx context.Context, unit string) error
	ReloadContext(ctx context.Context) error
	Close()
}

// ReloadOnce calls reload unless a call of another process, which began after this one was asked for, has done the
// same.
type ReloadOnce func(ctx context.Context, reload func() error) error

// Client is the systemd of this host. Its methods may be called from several goroutines. Each call connects anew, since
// most verbs need systemd once or not at all.
type Client struct {
	connect func(ctx context.Context) (bus, error) // over the system bus
	private func(ctx context.Context) (bus, error) // over systemd's own socket, which needs no bus
	journal func(ctx context.Context, invocation string) ([]byte, error)
	booted  func() bool
	once    ReloadOnce

	mu      sync.Mutex
	batches int  // that run
	pending bool // a reload that waits for the end of the last of them
}

// New returns the client of this host's systemd. Reloads go through once.
func New(once ReloadOnce) *Client {
	return &Client{
		connect: func(ctx context.Context) (bus, error) { return asBus(dbus.NewSystemConnectionContext(ctx)) },
		private: func(ctx context.Context) (bus, error) { return asBus(dbus.NewSystemdConnectionContext(ctx)) },
		journal: readJournal, booted: util.IsRunningSystemd, once: once,
	}
}

// anewLimit is how long systemd may be away: it answers nobody while it executes itself anew (systemctl(1),
// daemon-reexec).
const anewLimit = 5 * time.Second

// insist asks until there is an answer, be it a refusal, as long as systemd may be away.
func insist[T any](ctx context.Context, ask func() (T, error)) (answer T, err error) {
	const pause = 50 * time.Millisecond
	for range anewLimit / pause {
		var refusal godbus.Error
		if answer, err = ask(); err == nil || errors.As(err, &refusal) || ctx.Err() != nil {
			break
		}
		time.Sleep(pause)
	}
	return answer, err
}

func asBus(connection *dbus.Conn, err error) (bus, error) {
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	return connection, nil
}

// Booted reports whether this host was booted with systemd (sd_booted(3)).
func (c *Client) Booted() bool { return c.booted() }

// awaitJob waits for the end of a job. Errors: *jobError for one that failed; ErrReplaced; of the context.
func awaitJob(ctx context.Context, done <-chan string) error {
	select {
	case result := <-done:
		if result == "canceled" {
			return ErrReplaced
		}
		if result != "done" {
			return &jobError{result}
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// jobError is a job of systemd that did not end well.
type jobError struct{ result string }

func (e *jobError) Error() string { return fmt.Sprintf("the job ended with %q", e.result) }

// ErrReplaced says that somebody else asked for another job of the unit before one had ended.
var ErrReplaced = errors.New("another command has asked systemd for something else meanwhile")

func jobFailed(err error) bool {
	var failure *jobError
	return errors.As(err, &failure)
}
