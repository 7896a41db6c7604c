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
	Starting bool // somebody waits until it is up
	Queued   bool // a start waits until it is down
}

// Own returns the unit that this process belongs to. It does not use the bus, which may be down already.
func (c *Client) Own(ctx context.Context) (OwnUnit, error) {
	return insist(ctx, func() (OwnUnit, error) { return c.own(ctx) })
}

func (c *Client) own(ctx context.Context) (OwnUnit, error) {
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
		if j.Unit == unit.Name {
			unit.Stopping = unit.Stopping || j.JobType == "stop" || j.JobType == "restart"
			unit.Starting = unit.Starting || j.JobType == "start" && j.Status == "running"
			unit.Queued = unit.Queued || j.JobType == "start" && j.Status == "waiting"
		}
	}
	return unit, nil
}

// StartAgain queues a start of a unit for when it has ended. Unlike Restart= it leaves no pause in which a stop would
// find a unit that is down and a container that is up. It goes back behind any job that came meanwhile. An uncounted
// start is allowed however many there were (systemd.unit(5), StartLimitBurst=), and its unit has not failed.
//
// A start that is under way goes on with the next attempt: another one would become part of it, and fail with it.
func (c *Client) StartAgain(ctx context.Context, unit OwnUnit, uncounted bool) error {
	// What has been queued already is not queued twice.
	_, err := insist(ctx, func() (struct{}, error) { return struct{}{}, c.startAgain(ctx, unit, uncounted) })
	return err
}

func (c *Client) startAgain(ctx context.Context, unit OwnUnit, uncounted bool) error {
	systemd, err := c.private(ctx)
	if err != nil {
		return err
	}
	defer systemd.Close()
	if uncounted {
		if err := systemd.ResetFailedUnitContext(ctx, unit.Name); err != nil {
			return fmt.Errorf("start %s again: %w", unit.Name, err)
		}
	}
	queue := systemd.StartUnitContext
	if unit.Starting {
		queue = systemd.RestartUnitContext
	}
	if _, err := queue(ctx, unit.Name, "fail", nil); err != nil {
		return fmt.Errorf("start %s again: %w", unit.Name, err)
	}
	return nil
}
