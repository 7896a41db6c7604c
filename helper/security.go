package helper

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// checkModeOfConfig is checkMode for a config.
func (m *Manager) checkModeOfConfig(s *config.Sandbox) error {
	if err := describe.CheckMode(s); err != nil {
		return fmt.Errorf("%s: mode=%s: %w", m.Store.Path(s.Name), s.Security.Mode, err)
	}
	return nil
}

// checkLabels asks the loaded policy about the labels of processes and content, first about those that nobody chose.
func (m *Manager) checkLabels(s *config.Sandbox, o CreateOptions) error {
	plain := config.New(s.Name)
	for label, chosen := range map[string]string{plain.ProcessLabel(): o.Security, plain.FileLabel(): o.FileType} {
		if err := m.Host.CheckLabel(label); err != nil && chosen == "" {
			return err
		}
	}
	if err := m.Host.CheckLabel(s.ProcessLabel()); err != nil {
		return fmt.Errorf("%s: %w", o.LevelOption(), err)
	}
	if err := m.checkFileLabel(s); err != nil {
		return field.Errorf("%s %s: %w", field.FileType, o.FileType, err)
	}
	return nil
}

// checkFileLabel asks the loaded policy about the label of content, whatever its level will be.
func (m *Manager) checkFileLabel(s *config.Sandbox) error {
	static := *s
	static.Security.Mode = config.SecurityStatic
	return m.Host.CheckLabel(static.FileLabel())
}
