// SPDX-License-Identifier: Apache-2.0

// Package healthcheck runs the check of a sandbox's health inside and tells the host's side what comes of it. In: the
// plan of the container, and what the last check left in /run; out: a message of sd_notify(3) with fields of package
// report. Units that each start makes run it, by virt-sandbox-init: nothing waits between two checks.
package healthcheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/health"
	"github.com/virt-sandbox/virt-sandbox/internal/report"
)

// Words that virt-sandbox-init takes as its only argument: one check, and checks until one succeeds.
const (
	Word      = "health"
	ReadyWord = "health-ready"
)

// Unit is the one that runs a check.
const Unit = "virt-sandbox-health.service"

// stateFile keeps what was found out from one check to the next.
const stateFile = "/run/virt-sandbox-health"

// pause is how long after a failure the next try of a start is.
const pause = time.Second

// Run checks once, or until a check succeeds, and tells the host's side.
func Run(word string) error {
	plan, err := guest.ReadPlan(guest.PlanFile)
	if err != nil {
		return err
	}
	if plan.Health == nil {
		return errors.New("the sandbox has no health-cmd")
	}
	r := runner{check: *plan.Health, file: stateFile, tell: guest.Report}
	if word == ReadyWord {
		return r.untilWell()
	}
	return r.once()
}

type runner struct {
	check health.Check
	file  string
	tell  func(message string) error
}

func (r runner) untilWell() error {
	for r.command() != nil {
		time.Sleep(pause)
	}
	return r.conclude(nil)
}

func (r runner) once() error { return r.conclude(r.command()) }

// command runs the check, which may take no longer than until the next.
func (r runner) command() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), r.check.Interval,
		fmt.Errorf("no answer within %v", r.check.Interval))
	defer cancel()
	c := exec.CommandContext(ctx, "/bin/sh", "-c", r.check.Command)
	c.Stdout, c.Stderr, c.WaitDelay = os.Stdout, os.Stderr, time.Second
	// All that it started ends with it: a start that waits runs it again and again.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	err := c.Run()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "health-cmd: %v\n", err)
	}
	return err
}

// conclude notes one more outcome and tells of it.
func (r runner) conclude(outcome error) error {
	old, _ := os.ReadFile(r.file)
	state := r.check.After(health.ReadState(old), outcome == nil, time.Now())
	if err := os.WriteFile(r.file, state.Text(), 0o600); err != nil {
		return fmt.Errorf("note the health: %w", err)
	}
	message := report.Health + "=" + state.Verdict
	if state.Verdict == health.Unhealthy {
		message += fmt.Sprintf("\n%s=%s health-cmd failed %d times: %v", report.Failed, Unit, state.Failures, outcome)
	}
	if err := r.tell(message); err != nil {
		return fmt.Errorf("tell the host of the health: %w", err)
	}
	return nil
}
