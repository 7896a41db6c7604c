// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// waitingFrom is how long a start may take without a word.
const waitingFrom = time.Second

// showWaiting tells who waits at a terminal for what, once a second, until the function that it returns is called.
func showWaiting(ctx context.Context, s *config.Sandbox) (end func()) {
	if !isTerminal(os.Stderr) {
		return func() {}
	}
	what := func() string { return "waiting for " + strings.Join(s.Units, ", ") }
	if s.Generic() {
		what = func() string { return "waiting for " + s.Command[0] }
	}
	if helper.SystemdRuns() {
		units := what
		what = func() string {
			// The helper tells systemd what it waits for.
			text, err := exec.CommandContext(ctx, "systemctl", "show", "-P", "StatusText", s.HostUnit()).Output()
			if status := strings.TrimSpace(string(text)); err == nil && status != "" {
				return status
			}
			return units()
		}
	}
	ticker := time.NewTicker(waitingFrom)
	stop := tellWaiting(os.Stderr, s.Name, what, ticker.C)
	return func() { ticker.Stop(); stop() }
}

// tellWaiting rewrites a line at each tick, and clears it at the end.
func tellWaiting(out io.Writer, name string, what func() string, ticks <-chan time.Time) (end func()) {
	const columns, clearLine = 50, "\r\x1b[K"
	ended, begun := make(chan struct{}), time.Now()
	var teller sync.WaitGroup
	teller.Go(func() {
		written := false
		for {
			select {
			case now := <-ticks:
				waited := now.Sub(begun).Round(time.Second)
				fmt.Fprintf(out, "%s%s: %s (%s)", clearLine, name, printable.Short(what(), columns), waited)
				written = true
			case <-ended:
				if written {
					fmt.Fprint(out, clearLine)
				}
				return
			}
		}
	})
	return func() { close(ended); teller.Wait() }
}
