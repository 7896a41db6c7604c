// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// ImportOptions are what an administrator asks of import.
type ImportOptions struct {
	Name     string          // empty: that in the archive
	Level    string          // MCS level; empty: that in the archive, or where it is another's one that is allocated
	Security config.Security // the zero value: as in the archive
	Share    bool            // whether the level may be one that others reach
	Base     string          // directory whose subdirectory Name becomes the content; empty: the default
	Trust    bool            // whether the config may ask for what reaches beyond the sandbox
}

// Import describes the sandbox that is made of what the config in an archive says. isNew reports whether that one's
// identity is free on this host, so that the sandbox may keep it.
func Import(from *config.Sandbox, o ImportOptions, isNew func() (bool, error)) (*config.Sandbox, error) {
	if from.State != config.StateUsable {
		return nil, fmt.Errorf("%s%s in the archive is marked as %s", from.Name, config.Suffix, from.State)
	}
	if from.Image != "" && from.ImageSize == 0 {
		return nil, fmt.Errorf("%s%s in the archive has an image without image-size=; write that into the config and "+
			"export it again",
			from.Name, config.Suffix)
	}
	if err := CheckMode(from); err != nil {
		return nil, fmt.Errorf("%s%s in the archive: mode=%s: %w", from.Name, config.Suffix, from.Security.Mode, err)
	}
	s := *from
	s.Name = o.Name
	free, err := isNew()
	if err != nil {
		return nil, err
	}
	if o.Name != from.Name || !free {
		Identify(&s)
		forgetMACs(&s)
	}
	if o.Base == "" {
		o.Base = config.DefaultContentBase
	}
	if err := placeContent(&s, o.Base); err != nil {
		return nil, err
	}
	if s.Hardening.IDMap.Mapped() {
		s.Hardening.IDMap = config.IDMap{Auto: true}
	}
	// Private paths that root inside removes are made anew at the next start: not with what this host has, for just
	// anybody.
	s.Copy = s.Copy && o.Trust
	renameUnits(&s, from)
	if err := ownImage(&s, from, config.DefaultImageBase); err != nil {
		return nil, err
	}
	level, err := alloc.LevelOf(&s)
	if o.Level != "" || o.Security.Mode != "" || err != nil || level.Count() == 0 && !o.Share {
		return &s, giveSecurity(
			&s,
			Options{Level: o.Level, Security: o.Security, Share: o.Share, FileType: s.Security.FileType},
		)
	}
	s.Security.Level = level.String()
	return &s, nil
}

// ReachesBeyond lists the lines of a config that ask for what the sandbox does not keep inside, for a message: nobody
// else than an administrator of this host may do so. What is not known to be harmless is among them.
func ReachesBeyond(s *config.Sandbox) []string {
	harmless := config.New(s.Name)
	harmless.UUID, harmless.MachineID, harmless.Created = s.UUID, s.MachineID, s.Created
	harmless.Units, harmless.Packages, harmless.Command, harmless.Identity = s.Units, s.Packages, s.Command, s.Identity
	harmless.BootTarget, harmless.Autostart, harmless.Restart = s.BootTarget, s.Autostart, s.Restart
	harmless.Content, harmless.Copy, harmless.Private, harmless.Environment = s.Content, s.Copy, s.Private, s.Environment
	harmless.Security.Level, harmless.Security.Mode = s.Security.Level, s.Security.Mode
	if s.Security.IsDefaultLabel() {
		harmless.Security.Label = s.Security.Label
	}
	harmless.Image, harmless.ImageFormat = s.Image, s.ImageFormat
	harmless.ImageFS, harmless.ImageSize = s.ImageFS, s.ImageSize
	harmless.Hardening.IDMap = s.Hardening.IDMap
	harmless.Hardening.Capabilities.Drop = s.Hardening.Capabilities.Drop
	harmless.Hardening.SystemCalls.Drop = s.Hardening.SystemCalls.Drop
	if s.Limits.PIDs > 0 {
		harmless.Limits = s.Limits
	}
	for _, mount := range s.Mounts {
		if mount.Kind.ShowsMemory() {
			harmless.Mounts = append(harmless.Mounts, mount)
		}
	}
	lines := s.LinesNotIn(harmless)
	for i, line := range lines {
		lines[i] = printable.Line(line)
	}
	return lines
}
