package helper

import (
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

// setSecurity turns the options -s, -l and -f into the description of the sandbox's label.
func setSecurity(s *config.Sandbox, o CreateOptions) error {
	if o.FileType != "" {
		if err := config.CheckFileType(o.FileType); err != nil {
			return fmt.Errorf("-f: %w", err)
		}
		s.Security.FileType = o.FileType
	}
	if o.Security != "" {
		security, err := config.ParseSecurity(o.Security)
		if err != nil {
			return fmt.Errorf("-s: %w", err)
		}
		security.FileType = s.Security.FileType
		s.Security = security
		if err := checkMode(s); err != nil {
			return fmt.Errorf("-s %s: %w", o.Security, err)
		}
	}
	if o.Level != "" {
		if o.Security != "" && s.Security.AppArmor == "" {
			return errors.New("-l and -s exclude each other; put the level into the label of -s")
		}
		level, err := mcs.Parse(o.Level)
		if err != nil {
			return fmt.Errorf("-l %s: %w", o.Level, err)
		}
		s.Security.Mode = config.SecurityStatic // Of a clone, whose source may have another.
		s.Security.Level = level.String()
	}
	if level, err := alloc.LevelOf(s); err == nil && level.Count() == 0 && !o.Share {
		return fmt.Errorf("%s: every sandbox can reach a level without categories; add some, as in s0:c1,c2, or allow that with --share-level",
			o.levelOption())
	}
	return nil
}

// checkMode refuses what says when a sandbox gets its label where it cannot.
func checkMode(s *config.Sandbox) error {
	switch {
	case s.Security.Mode == config.SecurityInherit:
		return errors.New("only a command in a throw-away sandbox has a caller whose label it can have; use static")
	case s.Security.Mode == config.SecurityDynamic && s.Image == "":
		return errors.New("the files of a directory carry their level, so that it has to be fixed; keep the content in an image (-i), or use static")
	case s.Security.Mode == config.SecurityDynamic && s.Security.Level != "":
		return errors.New("it has its level chosen at each start, and says level= too; remove one of them")
	}
	return nil
}

// levelOption is the option that the level comes from, as it was given, for a message.
func (o CreateOptions) levelOption() string {
	switch {
	case o.Level != "":
		return "-l " + o.Level
	case o.Security != "":
		return "-s " + o.Security
	}
	return "allocated level"
}

// refuseShared refuses a level that is not kept apart from another's, unless that is asked for.
func (o CreateOptions) refuseShared(use alloc.Use) error {
	if o.Share {
		return nil
	}
	return fmt.Errorf("%s is not kept apart from %s, which %s has; choose another level, or allow that with --share-level",
		o.levelOption(), use.Level, use.By)
}

// checkModeOfConfig is checkMode for a config.
func (m *Manager) checkModeOfConfig(s *config.Sandbox) error {
	if err := checkMode(s); err != nil {
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
		return fmt.Errorf("%s: %w", o.levelOption(), err)
	}
	if err := m.checkFileLabel(s); err != nil {
		return fmt.Errorf("-f %s: %w", o.FileType, err)
	}
	return nil
}

// checkFileLabel asks the loaded policy about the label of content, whatever its level will be.
func (m *Manager) checkFileLabel(s *config.Sandbox) error {
	static := *s
	static.Security.Mode = config.SecurityStatic
	return m.Host.CheckLabel(static.FileLabel())
}

// writableLabel gives the label of what processes of the container may write, be its content of another type or not.
func writableLabel(s *config.Sandbox) string {
	writable := *s
	writable.Security.FileType = config.New("").Security.FileType
	return writable.FileLabel()
}

// setupType is the type under which our policy has virt-sandbox-init set a container up, so that containerType need not
// be allowed to mount anything. The types of container-selinux have none for that.
const (
	setupType     = "virt_sandbox_setup_t"
	containerType = "container_t"
)

// setupLabel gives the context for setting a sandbox up; empty where that has the one of its processes.
func (m *Manager) setupLabel(s *config.Sandbox) string {
	context := s.ProcessContext()
	if !m.Host.SELinux() || s.FileLabel() == "" || context.Type != containerType {
		return ""
	}
	label := context.WithType(setupType).String()
	if m.Host.CheckLabel(label) != nil {
		return ""
	}
	return label
}
