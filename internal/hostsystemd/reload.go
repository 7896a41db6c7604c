// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"fmt"
	"time"
)

// reloadLimit is how long a reload of the host's systemd may take.
const reloadLimit = 90 * time.Second

// Reload has systemd read unit files and run generators again, where systemd runs. Of many processes that ask at once,
// one reloads for all those that asked before it began. While a batch runs it only notes that a reload is due.
func (c *Client) Reload(ctx context.Context) error {
	if !c.Booted() {
		return nil
	}
	if c.deferred() {
		return nil
	}
	return c.once(ctx, func() error { return c.reload(ctx) })
}

// deferred notes that a reload is due where a batch runs, and reports whether one does.
func (c *Client) deferred() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.batches == 0 {
		return false
	}
	c.pending = true
	return true
}

func (c *Client) reload(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	systemd, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	if err := systemd.ReloadContext(ctx); err != nil {
		return fmt.Errorf("reload systemd: %w", err)
	}
	return nil
}

// BatchReloads calls f and then reloads once for all reloads that f asked for, from whichever goroutine. Where batches
// overlap, the last to end reloads for all of them.
func (c *Client) BatchReloads(ctx context.Context, f func()) error {
	c.beginBatch()
	due := false
	func() {
		defer func() { due = c.endBatch() }()
		f()
	}()
	if !due {
		return nil
	}
	// What has been made is there even if the rest was interrupted.
	return c.Reload(context.WithoutCancel(ctx))
}

func (c *Client) beginBatch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches++
}

// endBatch reports whether a reload is due now.
func (c *Client) endBatch() (due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.batches--; c.batches > 0 {
		return false
	}
	due, c.pending = c.pending, false
	return due
}
