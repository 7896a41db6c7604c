// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"fmt"
	"time"
)

// goneLimit is how long libvirt may take to notice that a domain has ended.
const goneLimit = 10 * time.Second

// AwaitGone waits until libvirt has noticed that the domain of a sandbox has ended, so that a start right after this
// finds the name free. A domain that ended while libvirtd was down is kept by the next libvirtd, which refuses its name
// to others as that of a domain that is being started; it is forgotten.
func (d *Domain) AwaitGone(name string) error { return awaitGone(d, name, goneLimit) }

// endable is what a domain that ends is asked.
type endable interface {
	IsActive() (bool, error)
	Forget() error
	Destroy() error
}

func awaitGone(d endable, name string, limit time.Duration) error {
	destroyed := false
	for begun, pause := time.Now(), 2*time.Millisecond; time.Since(begun) < limit; pause = min(2*pause,
		50*time.Millisecond) {
		active, err := d.IsActive()
		if err == nil && !active {
			err = d.Forget()
		}
		if errors.Is(err, ErrNoDomain) || (err == nil && !active) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for libvirt to notice that %s stopped: %w", name, err)
		}
		if !destroyed && time.Since(begun) > limit/10 {
			// libvirt does not miss a controller that died while it was still connecting to it until it is told.
			_ = d.Destroy()
			destroyed = true
		}
		time.Sleep(pause)
	}
	return fmt.Errorf("domain %s ended, but libvirt still lists it as running", name)
}
