// SPDX-License-Identifier: Apache-2.0

// Package checkup lists what of a sandbox is not as it should be. In: the name of a sandbox, which may be up. Out:
// findings with the remedy of each. It sets labels right where it is asked to, and changes nothing else. The verb check
// calls it.
package checkup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitstub"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// Checker checks sandboxes. It may be used from several goroutines.
type Checker struct {
	Configs     config.Store
	Host        content.Host
	Images      *sandboximage.Images
	Stubs       unitstub.Files
	Provisioner *provision.Provisioner
	// LockName waits until nobody else works on a sandbox.
	LockName func(ctx context.Context, name string) (*lockfile.Lock, error)
	// FailedInside lists the units that have failed inside a container that is up.
	FailedInside func(ctx context.Context, name string) ([]string, error)
	Warn         func(format string, args ...any)
}

// Check lists what of a sandbox, which may be up, is not as it should be: its config, the unit file, images, content
// and labels, and what interrupted verbs have left. With fix it sets labels right, and nothing else. Errors:
// config.ErrNotFound.
func (c *Checker) Check(ctx context.Context, name string, fix bool) ([]contentcheck.Finding, error) {
	s, findings, err := c.checkOutside(ctx, name)
	if err == nil && s != nil {
		var inside []contentcheck.Finding
		inside, err = c.checkInside(ctx, s, fix)
		findings = append(findings, inside...)
		failed, failedErr := c.FailedInside(ctx, name)
		for _, unit := range failed {
			findings = append(findings, contentcheck.Finding{
				Path: s.Content, Problem: contentcheck.ProblemInside, Detail: fmt.Sprintf("%s has failed inside; "+
					"its journal says why", unit),
			})
		}
		err = errors.Join(err, failedErr)
	}
	for i := range findings {
		findings[i].Sandbox = name
	}
	return findings, err
}

// checkOutside checks all but the content, while no other verb works on the sandbox. It returns the description where
// there may be content to check.
func (c *Checker) checkOutside(ctx context.Context, name string) (*config.Sandbox, []contentcheck.Finding, error) {
	if err := config.CheckName(name); err != nil {
		return nil, nil, err
	}
	lock, err := c.LockName(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	defer lock.Release()
	s, err := c.Configs.Load(name)
	if errors.Is(err, config.ErrNotFound) {
		findings, leftErr := c.Provisioner.Leftovers(name, nil)
		if len(findings) > 0 || leftErr != nil {
			err = leftErr
		}
		return nil, findings, err
	}
	if err != nil {
		return nil, []contentcheck.Finding{
			{Path: c.Configs.Path(name), Problem: contentcheck.ProblemConfig, Detail: reasonOf(err)},
		}, nil
	}
	if s.Hardening.IDMap == (config.IDMap{}) && s.Network == config.NetworkPrivate {
		c.Warn("%s has the user ids of the host; idmap=auto in [hardening] of its config gives it ids of its own", name)
	}
	if places.Root(c.Host.Root).Of(name).Run().EtcIsOld() {
		c.Warn("%s sees the host's /etc as it was at the start; restart it to follow what has changed", name)
	}
	findings, err := c.Provisioner.Leftovers(name, s)
	findings = append(c.checkRun(name), findings...)
	if err != nil || s.State == config.StateDeleting {
		return nil, findings, err
	}
	if err := c.Provisioner.CheckPolicy(s); err != nil {
		findings = append(findings, contentcheck.Finding{
			Path: c.Configs.Path(name), Problem: contentcheck.ProblemConfig, Detail: printable.Line(err.Error()),
		})
	}
	if err := units.CheckDirectives(c.Configs, name); err != nil {
		findings = append(findings, contentcheck.Finding{
			Path: c.Configs.Path(name), Problem: contentcheck.ProblemConfig, Detail: reasonOf(err),
		})
	}
	files, err := c.checkUnitFiles(s)
	if err != nil {
		return nil, findings, err
	}
	images, usable := checkImages(s)
	findings = append(append(findings, files...), images...)
	if !usable {
		return nil, findings, nil
	}
	return s, findings, nil
}

// checkRun tells of a run that a killed command left half way. Preconditions: the caller holds the lock on the name.
func (c *Checker) checkRun(name string) []contentcheck.Finding {
	run := places.Root(c.Host.Root).Of(name).Run()
	phase := run.Phase()
	if !phase.IsBetween() {
		return nil
	}
	return []contentcheck.Finding{{
		Path: run.Path(), Problem: contentcheck.ProblemLeftover,
		Detail: fmt.Sprintf("a command was killed while the sandbox was %s; run stop %s to end it", phase, name),
	}}
}

// reasonOf is why a config cannot be used, without its name where it says the line.
func reasonOf(err error) string {
	var syntax *config.SyntaxError
	if !errors.As(err, &syntax) {
		return printable.Line(err.Error())
	}
	var reasons []string
	for _, mistake := range syntax.All() {
		reasons = append(reasons, mistake.Reason())
	}
	return printable.Line(strings.Join(reasons, "; "))
}

// checkUnitFiles compares the files of units on the host with what the config names. One that was never started need
// have none: the generator makes a full unit for it.
func (c *Checker) checkUnitFiles(s *config.Sandbox) ([]contentcheck.Finding, error) {
	var findings []contentcheck.Finding
	found := func(path, detail string) {
		findings = append(findings, contentcheck.Finding{Path: path, Problem: contentcheck.ProblemUnit, Detail: detail})
	}
	remedy := fmt.Sprintf("virt-sandbox-service enable or disable %s sets that right", s.Name)
	state, err := c.Stubs.Inspect(s)
	if err != nil {
		return nil, err
	}
	switch {
	case state == unitstub.Missing && !s.Created.IsZero():
		found(c.Stubs.Path(s), "the unit file is missing; "+remedy)
	case state == unitstub.Foreign:
		found(c.Stubs.Path(s), fmt.Sprintf("is not a unit of %s; move it away", c.Configs.Path(s.Name)))
	}
	strays, err := c.Stubs.Strays(s)
	if err != nil {
		return nil, err
	}
	for _, path := range strays {
		found(path, fmt.Sprintf("the unit is %s by the config; %s", s.HostUnit(), remedy))
	}
	for _, drop := range unitfile.Root(c.Host.Root).Confinements() {
		found(drop.File, fmt.Sprintf("sets %s for all services, %s among them, which may not come up so; set it otherwise "+
			"in %s.d, by a file that sorts after it", strings.Join(drop.Directives, ", "), s.HostUnit(), c.Stubs.Path(s)))
	}
	return findings, nil
}
