// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"testing"
	"time"
)

// A libvirtd that says nothing keeps nobody longer than its time, is not asked again, and counts as lost.
func TestNoAnswer(t *testing.T) {
	c := connected(t)
	d := made(t, c)
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	if _, err := ask(c, time.Minute, c.connect.GetHostname); err != nil || c.isLost() {
		t.Errorf("one that answers: %v, lost %t", err, c.isLost())
	}
	refused := errors.New("refused")
	if err := tell(c, func() error { return refused }); !errors.Is(err, refused) || c.isLost() {
		t.Errorf("one that refuses: %v, lost %t", err, c.isLost())
	}
	begun := time.Now()
	c.patience = 10 * time.Millisecond
	if err := tell(c, func() error { <-never; return nil }); !errors.Is(err, ErrNoAnswer) || !c.isLost() {
		t.Errorf("one that says nothing: %v, lost %t", err, c.isLost())
	}
	if _, err := c.Domain("web"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("the next question: %v", err)
	}
	if err := d.Suspend(); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("a question of a domain: %v", err)
	}
	c.Close()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	c.silent.Store(false) // so that the domain ends
}
