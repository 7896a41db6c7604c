// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"errors"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

// setSecurity turns Security, Level and FileType of the options into the description of the sandbox's label.
func setSecurity(s *config.Sandbox, o Options) error {
	if o.FileType != "" {
		if err := config.CheckFileType(o.FileType); err != nil {
			return field.Errorf("%s: %w", field.FileType, err)
		}
		s.Security.FileType = o.FileType
	}
	if o.Security.Mode != "" {
		fileType := s.Security.FileType
		s.Security = o.Security
		s.Security.FileType = fileType
		if err := CheckMode(s); err != nil {
			return field.Errorf("%s %s: %w", field.Security, securityText(o.Security), err)
		}
	}
	if o.Level != "" {
		if o.Security.Mode != "" && s.Security.AppArmor == "" {
			return field.Errorf("%s and %s exclude each other; put the level into the label of %s",
				field.Level, field.Security, field.Security)
		}
		level, err := mcs.Parse(o.Level)
		if err != nil {
			return field.Errorf("%s %s: %w", field.Level, o.Level, err)
		}
		s.Security.Mode = config.SecurityStatic // Of a clone, whose source may have another.
		s.Security.Level = level.String()
	}
	if level, err := alloc.LevelOf(s); err == nil && level.Count() == 0 && !o.Share {
		return field.Errorf("%s: every sandbox can reach a level without categories; add some, as in "+
			"s0:c1,c2, or allow that with %s", o.LevelOption(), field.Share)
	}
	return nil
}

// CheckMode refuses what says when a sandbox gets its label where it cannot.
func CheckMode(s *config.Sandbox) error {
	switch {
	case s.Security.Mode == config.SecurityInherit:
		return errors.New("only a command in a one-shot sandbox has a caller whose label it can have; use static")
	case s.Security.Mode == config.SecurityDynamic && s.Image == "":
		return field.Errorf("the files of a directory carry their level, so that it has to be fixed; keep "+
			"the content in an image (%s), or use static", field.ImageSize)
	case s.Security.Mode == config.SecurityDynamic && s.Security.Level != "":
		return errors.New("it has its level chosen at each start, and says level= too; remove one of them")
	}
	return nil
}

// LevelOption is the option that the level comes from, as it was given, for a message.
func (o Options) LevelOption() field.Setting {
	switch {
	case o.Level != "":
		return field.Setting{Name: field.Level, Value: o.Level}
	case o.Security.Mode != "":
		return field.Setting{Name: field.Security, Value: securityText(o.Security)}
	}
	return field.Setting{Value: "allocated level"}
}

// securityText returns what somebody chose in one line, as the programs' option has it.
func securityText(s config.Security) string {
	switch {
	case s.AppArmor != "":
		return "apparmor,profile=" + s.AppArmor
	case s.HasLabel():
		return string(s.Mode) + ",label=" + s.ChosenLabel()
	}
	return string(s.Mode)
}

// RefuseShared refuses a level that is not kept apart from another's, unless that is asked for.
func (o Options) RefuseShared(use alloc.Use) error {
	if o.Share {
		return nil
	}
	return field.Errorf("%s is not kept apart from %s, which %s has; choose another level, or allow that with %s",
		o.LevelOption(), use.Level, use.By, field.Share)
}
