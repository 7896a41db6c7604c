// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// forceLimit is how long each process of a container that is ended by force may take.
const forceLimit = 10 * time.Second

// EndByForce destroys a container that is still there. With its first process, nil for none, the kernel ends all others
// of the PID namespace. libvirt, which ends one process after the other, may give up where they are many.
func EndByForce(name string, controller, init *proc.Process, destroy func() error) error {
	var failure error
	if !controller.Wait(0) {
		failure = destroy()
	}
	if init == nil || errors.Is(failure, ErrNoAnswer) {
		return failure
	}
	if failure != nil || !init.Wait(forceLimit) {
		_ = init.Signal(unix.SIGKILL)
		if !init.Wait(forceLimit) {
			return fmt.Errorf("process %d of %s does not end", init.PID(), name)
		}
	}
	if failure != nil && !controller.Wait(forceLimit) {
		return failure
	}
	return nil
}
