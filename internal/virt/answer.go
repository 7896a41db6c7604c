// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"fmt"
	"time"
)

// ErrNoAnswer is returned where libvirt did not answer in time, or did not come back in time.
var ErrNoAnswer = errors.New("libvirt does not answer")

// ErrNoConnection is returned where libvirt could not be connected to, for whatever reason but a wrong URI.
var ErrNoConnection = errors.New("no connection to libvirt")

// IsAway reports whether an error says that libvirt could not be asked: it does not run, or does not answer.
func IsAway(err error) bool { return errors.Is(err, ErrNoConnection) || errors.Is(err, ErrNoAnswer) }

// How long libvirt may take to answer. A daemon that was stopped, or that hangs, takes what it is sent and says
// nothing.
const (
	answerLimit = time.Minute
	// createLimit is for the start of a domain: many that start at once wait for each other.
	createLimit = 4 * time.Minute
)

// within waits for what may never return; it then goes on in the background. Errors: ErrNoAnswer, those of do.
func within[T any](limit time.Duration, do func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := do()
		done <- result{value, err}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-timer.C:
		var none T
		return none, fmt.Errorf("%w within %v", ErrNoAnswer, limit)
	}
}

// ask asks libvirt over a connection. One that has not answered once is not asked again, and counts as lost. Errors:
// ErrNoAnswer, those of do.
func ask[T any](c *Connection, limit time.Duration, do func() (T, error)) (T, error) {
	if c.silent.Load() {
		var none T
		return none, ErrNoAnswer
	}
	value, err := within(limit, do)
	if errors.Is(err, ErrNoAnswer) {
		c.silent.Store(true)
	}
	return value, err
}

// tell is ask for what has no answer but an error.
func tell(c *Connection, do func() error) error {
	_, err := ask(c, c.patience, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

// leaveLimit is how long it may take to let go of a connection, or of what holds one: libvirt is told, and else sees
// it.
const leaveLimit = 5 * time.Second

// leave lets go of something.
func (c *Connection) leave(let func() error) {
	_, _ = ask(c, leaveLimit, func() (struct{}, error) { return struct{}{}, let() })
}
