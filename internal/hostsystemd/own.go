// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"fmt"
	"os"
)

// OwnUnit is the unit that this process belongs to.
type OwnUnit struct {
	Name     string
	Stopping bool // a job wants it down, or down and up again
}

// Own returns the unit that this process belongs to. It does not use the bus, which may be down already.
func (c *Client) Own(ctx context.Context) (OwnUnit, error) {
	systemd, err := c.private(ctx)
	if err != nil {
		return OwnUnit{}, err
	}
	defer systemd.Close()
	unit := OwnUnit{}
	if unit.Name, err = systemd.GetUnitNameByPID(ctx, uint32(os.Getpid())); err != nil {
		return OwnUnit{}, fmt.Errorf("find own unit: %w", err)
	}
	jobs, err := systemd.ListJobsContext(ctx)
	if err != nil {
		return OwnUnit{}, fmt.Errorf("list jobs of systemd: %w", err)
	}
	for _, j := range jobs {
		if j.Unit == unit.Name && (j.JobType == "stop" || j.JobType == "restart") {
			unit.Stopping = true
		}
	}
	return unit, nil
}

// StartAgain queues a start of a unit for when it has ended. Unlike Restart= it leaves no pause in which a stop would
// find a unit that is down and a container that is up. It goes back behind any job that came meanwhile. An uncounted
// start is allowed however many there were (systemd.unit(5), StartLimitBurst=), and its unit has not failed.
func (c *Client) StartAgain(ctx context.Context, name string, uncounted bool) error {
	systemd, err := c.private(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	if uncounted {
		if err := systemd.ResetFailedUnitContext(ctx, name); err != nil {
			return fmt.Errorf("start %s again: %w", name, err)
		}
	}
	if _, err := systemd.StartUnitContext(ctx, name, "fail", nil); err != nil {
		return fmt.Errorf("start %s again: %w", name, err)
	}
	return nil
}
