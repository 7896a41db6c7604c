// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// ending is a domain that libvirt lists as active for some questions, or until it is destroyed.
type ending struct {
	active    int // questions that are answered with yes
	err       error
	forgotten bool
	destroyed bool
}

func (e *ending) IsActive() (bool, error) {
	e.active--
	return e.active >= 0 && !e.destroyed, e.err
}

func (e *ending) Forget() error {
	e.forgotten = true
	return nil
}

func (e *ending) Destroy() error {
	e.destroyed = true
	return nil
}

func TestAwaitGone(t *testing.T) {
	for _, c := range []struct {
		name      string
		domain    ending
		fails     string
		forgotten bool
	}{
		{name: "at once", forgotten: true},
		{name: "after some questions", domain: ending{active: 3}, forgotten: true},
		{name: "no such domain", domain: ending{err: ErrNoDomain}},
		{name: "not before it is told", domain: ending{active: 1 << 30}, forgotten: true},
		{name: "a failure", domain: ending{err: errors.New("no answer")}, fails: "to notice that web stopped: no answer"},
	} {
		d := c.domain
		err := awaitGone(&d, "web", 500*time.Millisecond)
		if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) ||
			d.forgotten != c.forgotten {
			t.Errorf("%s: got %v, forgotten %t", c.name, err, d.forgotten)
		}
	}
}
