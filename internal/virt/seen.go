// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"fmt"
	"os"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// Seen is a container as libvirt's files tell of it where libvirt cannot be asked. What only libvirt can do fails with
// ErrNoAnswer.
type Seen struct{ controller *proc.Process }

// Seen returns the running container of a sandbox, which is to be freed; nil for one that is down. isOwn says whether
// the sandbox has been started: else the container is that of another domain of the name, which is refused.
func (f StateFiles) Seen(name string, isOwn bool) (*Seen, error) {
	controller, err := f.Controller(name)
	if controller == nil || err != nil {
		return nil, err
	}
	if !isOwn {
		controller.Close()
		return nil, fmt.Errorf("libvirt has another domain of the name %s", name)
	}
	return &Seen{controller}, nil
}

// ControllerPID returns the number of the container's libvirt_lxc process.
func (s *Seen) ControllerPID() (int, error) { return s.controller.PID(), nil }

// IsUp reports whether the container was there when it was looked for.
func (*Seen) IsUp() bool { return true }

// IsPaused is false: that of a control group is to be asked besides.
func (*Seen) IsPaused() bool { return false }

// Suspend fails.
func (*Seen) Suspend() error { return ErrNoAnswer }

// Resume fails.
func (*Seen) Resume() error { return ErrNoAnswer }

// Destroy fails.
func (*Seen) Destroy() error { return ErrNoAnswer }

// AwaitGone fails.
func (*Seen) AwaitGone(string) error { return ErrNoAnswer }

// OpenConsole fails.
func (*Seen) OpenConsole() (*os.File, error) { return nil, ErrNoAnswer }

// Free lets go of it.
func (s *Seen) Free() { s.controller.Close() }
