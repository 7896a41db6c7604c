// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// CheckMode refuses a config that says when the sandbox gets its label where it cannot.
func CheckMode(configs config.Store, s *config.Sandbox) error {
	if err := describe.CheckMode(s); err != nil {
		return fmt.Errorf("%s: mode=%s: %w", configs.Path(s.Name), s.Security.Mode, err)
	}
	return nil
}

// checkLabels asks the loaded policy about the labels of processes and content, first about those that nobody chose,
// and about those that every start needs.
func (p *Provisioner) checkLabels(s *config.Sandbox, o describe.Options) error {
	plain := config.New(s.Name)
	for label, chosen := range map[string]string{plain.ProcessLabel(): string(o.Security.Mode),
		plain.FileLabel(): o.FileType} {
		if err := p.Host.CheckLabel(label); err != nil && chosen == "" {
			return err
		}
	}
	if err := p.Host.CheckLabel(s.ProcessLabel()); err != nil {
		return fmt.Errorf("%s: %w", o.LevelOption(), err)
	}
	if err := p.checkFileLabel(s); err != nil {
		return field.Errorf("%s %s: %w", field.FileType, o.FileType, err)
	}
	return p.Host.CheckStart(s)
}

// CheckPolicy reports what the loaded policy lacks for a sandbox that is there.
func (p *Provisioner) CheckPolicy(s *config.Sandbox) error {
	if err := p.Host.CheckLabel(s.ProcessLabel()); err != nil {
		return err
	}
	if err := p.checkFileLabel(s); err != nil {
		return err
	}
	return p.Host.CheckStart(s)
}

// checkFileLabel asks the loaded policy about the label of content, whatever its level will be.
func (p *Provisioner) checkFileLabel(s *config.Sandbox) error {
	static := *s
	static.Security.Mode = config.SecurityStatic
	return p.Host.CheckLabel(static.FileLabel())
}
