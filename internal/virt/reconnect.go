// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// WithReconnect calls do with a connection. When libvirtd is restarted meanwhile, it calls do again with a connection
// to the next one; do must therefore look anew at what it finds. Errors: those of do; ErrNoAnswer, when libvirtd does
// not come back. The first connection stays the caller's, the others are closed.
func (c *Client) WithReconnect(ctx context.Context, connection *Connection, do func(*Connection) error) error {
	err := do(connection)
	for err != nil && connection.isLost() {
		if connection, err = c.reconnect(ctx); err != nil {
			return err
		}
		defer connection.Close()
		err = do(connection)
	}
	return err
}

// reconnect connects to the libvirtd that comes after one that has gone, if it does not take long. Errors: ErrNoAnswer.
func (c *Client) reconnect(ctx context.Context) (*Connection, error) {
	for begun := time.Now(); ; time.Sleep(c.pause) {
		connection, err := c.Connect()
		switch {
		case err == nil || errors.Is(err, ErrNoAnswer):
			return connection, err
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case time.Since(begun) > c.patience:
			return nil, fmt.Errorf("%w since it was restarted: %w", ErrNoAnswer, err)
		}
	}
}
