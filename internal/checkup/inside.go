// SPDX-License-Identifier: Apache-2.0

package checkup

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
)

// checkInside checks the content.
func (c *Checker) checkInside(ctx context.Context, s *config.Sandbox, fix bool) ([]contentcheck.Finding, error) {
	release, err := c.Images.Hold(ctx, s)
	if err != nil {
		return nil, err
	}
	defer release()
	if found, err := c.Provisioner.HasContent(s); err != nil {
		return []contentcheck.Finding{
			{Path: s.Content, Problem: contentcheck.ProblemContent, Detail: printable.Line(err.Error())},
		}, nil
	} else if !found {
		return nil, nil
	}
	if state, err := content.Inspect(s.Content); err != nil || state == content.Creating {
		return []contentcheck.Finding{
			{
				Path:    s.Content,
				Problem: contentcheck.ProblemLeftover,
				Detail:  provision.InterruptedMaking + provision.RemedyOf(s.Name, s),
			},
		}, err
	}
	findings, err := contentcheck.Manifest(ctx, c.Host, s)
	if err != nil {
		return nil, err
	}
	if err := provision.CheckMode(c.Configs, s); err != nil {
		return findings, err
	}
	switch {
	case !c.Host.SELinux() && fix:
		c.Warn("SELinux is off on this host: there are no labels to set")
	case !c.Host.SELinux():
	case s.Security.Mode == config.SecurityDynamic && fix:
		c.Warn("%s has the label of all its content chosen at each start: there are no labels to set", s.Name)
	case s.Security.Mode == config.SecurityDynamic:
	default:
		labels, err := contentcheck.Labels(ctx, c.Host, s, fix)
		return append(findings, labels...), err
	}
	return findings, nil
}
