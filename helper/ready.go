package helper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// awaitReady waits until the container reports that it has booted and its units are active, and collects what it says on
// its console meanwhile.
func (m *Manager) awaitReady(ctx context.Context, r *Running, socket *net.UnixConn, status func(string)) error {
	s := r.Sandbox
	ctx, cancel := context.WithTimeoutCause(ctx, s.Limits.StartTimeout,
		fmt.Errorf("%s was not ready within %v ([limits] start-timeout)", s.Name, s.Limits.StartTimeout))
	console := consoletext.Read(ctx, r.Console, m.Console)
	defer func() {
		// What has been read is written before the monitor takes the place of this process.
		cancel()
		console.Wait()
	}()
	ended := make(chan struct{})
	go func() {
		for ctx.Err() == nil {
			if proc.Wait(r.Controller, 100*time.Millisecond) {
				close(ended)
				return
			}
		}
	}()
	booted := make(chan struct{})
	go listenReady(ctx, socket, booted)
	if err := m.run(s.Name).MarkHostReady(filepath.Base(guest.HostReadyFile)); err != nil {
		return err
	}
	status("Waiting for the units")
	select {
	case <-booted:
	case <-ended:
		time.Sleep(50 * time.Millisecond) // the console's last words pass through libvirt's controller
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
	var err error
	r.states, err = m.awaitUnits(ctx, s)
	var failure *UnitError
	if errors.As(err, &failure) {
		failure.Journal = m.journalOf(s, failure.Unit)
	}
	return err
}

// listenReady waits for READY=1 of sd_notify(3) and closes ready. What else a container says is not believed.
func listenReady(ctx context.Context, socket *net.UnixConn, ready chan<- struct{}) {
	stop := context.AfterFunc(ctx, func() { _ = socket.SetReadDeadline(time.Now()) })
	defer stop()
	buffer := make([]byte, 4096)
	for {
		n, err := socket.Read(buffer)
		if err != nil {
			return
		}
		for l := range strings.Lines(string(buffer[:n])) {
			if strings.TrimSpace(l) == "READY=1" {
				close(ready)
				return
			}
		}
	}
}

// pendingJobs says what a boot that takes too long is waiting for.
func (m *Manager) pendingJobs(r *Running) string {
	if r.Sandbox.Generic() {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	systemd, err := m.innerSystemdOf(ctx, r.Sandbox)
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
