// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
)

// beside adds what was planned to what a person listed. Where both have a path, its origin is the planned one, which
// tells how it follows the host; of one below another the upper stays.
func beside(listed, planned []config.PrivatePath) (all []config.PrivatePath) {
	for _, p := range planned {
		below := func(l config.PrivatePath) bool { return l.Path != p.Path && pathname.IsBelow(p.Path, l.Path) }
		if !slices.ContainsFunc(listed, below) {
			all = append(all, p)
		}
	}
	for _, l := range listed {
		if !covers(all, l.Path) {
			all = append(all, l)
		}
	}
	return all
}

// covers reports whether a path is one of private, or lies below one that comes with all it has.
func covers(private []config.PrivatePath, path string) bool {
	return slices.ContainsFunc(private, func(p config.PrivatePath) bool {
		return pathname.IsWithin(path, p.Path)
	})
}

// TellLeft says of a sandbox whose unit failed what configuration names on the host and it does not have. That a unit
// is gone from the host is a part of the failure, which is told of by who has it.
func (p *Provisioner) TellLeft(ctx context.Context, s *config.Sandbox, failure error) {
	var unit *innersystemd.UnitError
	if !errors.As(failure, &unit) {
		return
	}
	mine := *s
	mine.Units = slices.Clone(s.Units)
	set, err := p.findUnits(&mine)
	if err != nil {
		return
	}
	units, err := privatepaths.Planner(p.Host).Units(ctx, set, s.Packages)
	if err != nil {
		return
	}
	plan, err := privatepaths.Planner(p.Host).Plan(ctx, units, s.Packages)
	if err != nil {
		return
	}
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return
	}
	defer tree.Close()
	p.tellLeft(s, slices.DeleteFunc(plan.Left, func(l privatepaths.Left) bool {
		_, err := tree.Lstat(strings.TrimPrefix(l.Path, "/"))
		return err == nil
	}))
}

// tellLeft says what configuration names and the sandbox does not get unasked.
func (p *Provisioner) tellLeft(s *config.Sandbox, left []privatepaths.Left) {
	for _, l := range left {
		if !covers(s.Private, l.Path) {
			p.Warn("%s: %s names %s, which is %s; %s %s takes it in", s.Name, l.By, l.Path, l.Why, field.Include, l.Path)
		}
	}
}
