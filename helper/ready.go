// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/launch"
	"github.com/virt-sandbox/virt-sandbox/internal/logview"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// awaitReady waits until the container reports that it has booted and its units are active, and collects what it says
// on its console meanwhile.
func (m *Manager) awaitReady(ctx context.Context, r *Running, socket *net.UnixConn, status func(string)) error {
	s := r.Sandbox
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limits.StartTimeout,
		fmt.Errorf("%s was not ready within %v ([limits] start-timeout)", s.Name, s.Limits.StartTimeout))
	console := consoletext.Read(ctx, r.Console, m.Console, !s.Generic())
	defer func() {
		// What has been read is written before the monitor takes the place of this process.
		cancel()
		console.Wait()
	}()
	ended, err := proc.Ended(ctx, r.Controller)
	if err != nil {
		return err
	}
	booted := make(chan struct{})
	go launch.ListenReady(ctx, socket, booted)
	if err := m.run(s.Name).MarkHostReady(filepath.Base(guest.HostReadyFile)); err != nil {
		return err
	}
	status("Waiting for the units")
	select {
	case <-booted:
	case <-ended:
		console.AwaitEnd(time.Second) // the last words pass through libvirt's controller
		select {
		case <-booted:
			// A command that has come to its end already; its status is the monitor's to tell.
			return nil
		default:
		}
		return fmt.Errorf("%s ended while it started%s", s.Name, console.Quoted())
	case <-ctx.Done():
		err := context.Cause(ctx)
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("%w%s%s", err, m.pendingJobs(r), console.Quoted())
	}
	if s.Generic() {
		return nil
	}
	r.states, err = m.awaitUnits(ctx, s)
	var failure *UnitError
	if errors.As(err, &failure) {
		failure.Journal = m.journalOf(s, failure.Unit)
	}
	return err
}

// pendingJobs says what a boot that takes too long is waiting for.
func (m *Manager) pendingJobs(r *Running) string {
	if r.Sandbox.Generic() {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	systemd, err := m.inside(ctx, r.Sandbox)
	if err != nil {
		return ""
	}
	defer systemd.Close()
	names, err := systemd.RunningJobs(ctx)
	if err != nil || len(names) == 0 {
		return ""
	}
	return "; inside it still waits for " + strings.Join(names, ", ")
}

// ConsoleLog opens the file that a container's console goes to where no journal takes it.
func (m *Manager) ConsoleLog(name string) (*os.File, error) {
	s, err := m.Store.Load(name)
	if err != nil {
		return nil, err
	}
	return logview.OpenConsole(s)
}
