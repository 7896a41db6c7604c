// SPDX-License-Identifier: Apache-2.0

// Package unitfailed tells the host's side that units inside have failed. In: the container's systemd, of which it
// asks what failed, and the plan of the container, which names the units that it is for. Out: a message of sd_notify(3)
// with fields of package report. A unit of the content runs it, by virt-sandbox-init, whenever another one fails.
package unitfailed

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/report"
)

// Word as the only argument of virt-sandbox-init has it call Tell.
const Word = "failed"

// Unit inside calls Tell when the host asks for it: what was told to a monitor that is no more is lost. It is an
// instance of its own, which no failure starts.
const Unit = "virt-sandbox-failed@host.service"

// maxTold bounds how many units a message names, so that it is no longer than the host's side reads.
const maxTold = 12

// limit is how long systemd may take to answer.
const limit = 10 * time.Second

// Tell tells the host's side which units have failed, until no more have: one that fails while this runs starts nothing
// of its own.
func Tell() error {
	plan, err := guest.ReadPlan(guest.PlanFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for told := ""; ; {
		answer, err := exec.CommandContext(ctx, "systemctl", "show", "--state=failed", "--property=Id,Result,PartOf,Job",
			"*").Output()
		if err != nil {
			return fmt.Errorf("ask systemd what failed: %w", err)
		}
		message := messageOf(string(answer), plan.Units)
		if message == told {
			return nil
		}
		if err := guest.Report(message); err != nil {
			return fmt.Errorf("tell the host what failed: %w", err)
		}
		told = message
	}
}

// messageOf makes a message of what systemctl show says of units that failed; "" where there is nothing to tell. A unit
// with a job is not down for good: somebody restarts it. One that is part of a unit of the sandbox counts as that does,
// which may do nothing itself but stand for others.
func messageOf(answer string, own []string) string {
	failed, others := "", []string(nil)
	for block := range strings.SplitSeq(answer, "\n\n") {
		properties := make(map[string]string)
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			properties[name] = value
		}
		unit := properties["Id"]
		if unit == "" || properties["Job"] != "" && properties["Job"] != "0" {
			continue
		}
		isOwn := func(name string) bool { return slices.Contains(own, name) }
		switch {
		case !isOwn(unit) && !slices.ContainsFunc(strings.Fields(properties["PartOf"]), isOwn):
			others = append(others, unit)
		case failed == "":
			failed = unit + " " + properties["Result"]
		}
	}
	var fields []string
	if failed != "" {
		fields = append(fields, report.Failed+"="+failed)
	}
	if len(others) > 0 {
		fields = append(fields, report.Degraded+"="+strings.Join(others[:min(len(others), maxTold)], " "))
	}
	return strings.Join(fields, "\n")
}
