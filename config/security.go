// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Security is what confines the sandbox with SELinux, or AppArmor; what is SELinux's is kept on hosts without for the
// day it comes back. The level stands once: in Level, or for mode dynamic, whose label has only a base for it, nowhere.
type Security struct {
	Mode     SecurityMode
	Label    secontext.Context // user, role and type of the processes; zero: the default's; a dynamic base has its level
	Level    string            // MCS level, s0 or s0:cA[,cB|.cB]…; empty: none is allocated yet
	FileType string            // SELinux type of the content
	AppArmor string            // profile where the host has AppArmor; empty: one that libvirt makes for the container
}

// defaultProcess returns the context of processes where nobody chose one, without the level, which is the sandbox's.
func defaultProcess() secontext.Context {
	return secontext.Context{User: "system_u", Role: "system_r", Type: secontext.ContainerType}
}

// HasLabel reports whether somebody chose the context of the processes.
func (s Security) HasLabel() bool { return s.Label.Type != "" }

// IsDefaultLabel reports whether the context of the processes is the default, by any of its names, but for the level.
func (s Security) IsDefaultLabel() bool {
	return !s.HasLabel() ||
		s.Label.OfContainer() && s.Label.WithType(secontext.ContainerType).WithLevel("") == defaultProcess()
}

// ChosenLabel returns the context of the processes that somebody chose, for mode dynamic the base of it; "" for none.
func (s Security) ChosenLabel() string {
	if !s.HasLabel() {
		return ""
	}
	return s.process().String()
}

// process returns the context of the processes. A level that is not known yet is s0.
func (s Security) process() secontext.Context {
	context := defaultProcess()
	if s.HasLabel() {
		context = s.Label
	}
	if s.HasLabel() && s.Mode == SecurityDynamic {
		return context
	}
	return context.WithLevel(cmp.Or(s.Level, "s0"))
}

// SetLabel chooses the context of the processes, and unless the mode is dynamic its level for the sandbox.
func (s *Security) SetLabel(context secontext.Context) {
	s.Label = context
	if s.Mode != SecurityDynamic {
		s.Level, s.Label.Level = context.Level, ""
	}
}

// ProcessContext returns the SELinux context of the container's processes.
func (s *Sandbox) ProcessContext() secontext.Context { return s.Security.process() }

// ProcessLabel is ProcessContext as text.
func (s *Sandbox) ProcessLabel() string { return s.ProcessContext().String() }

// FileLabel returns the SELinux context of the container's content: that of the processes with the type of files. It is
// empty where the level is not known before the start.
func (s *Sandbox) FileLabel() string {
	if s.Security.Mode != SecurityStatic {
		return ""
	}
	return s.ProcessContext().File(s.Security.FileType).String()
}

// WritableLabel returns the SELinux context of what processes of the container may write, whatever type its content
// has.
func (s *Sandbox) WritableLabel() string {
	writable := *s
	writable.Security.FileType = New("").Security.FileType
	return writable.FileLabel()
}

// ParseLabel reads a full SELinux context with a usable MCS level.
func ParseLabel(label string) (secontext.Context, error) {
	context, err := secontext.Parse(label)
	if err == nil {
		if err := checkLevel(context.Level); err != nil {
			return secontext.Context{}, err
		}
		return context, nil
	}
	// Of a label that lacks only the level, the level is what is wrong.
	if names, found := strings.CutSuffix(label, ":"); found {
		if _, err := secontext.Parse(names + ":s0"); err == nil {
			return secontext.Context{}, checkLevel("")
		}
	}
	return secontext.Context{}, fmt.Errorf(msgLabel, label)
}

// CheckFileType reports whether name can be the name of an SELinux type.
func CheckFileType(name string) error { return match(secontext.IsName, name, msgSELinuxType) }

func checkLevel(level string) error {
	if _, err := mcs.Parse(level); err != nil {
		return fmt.Errorf(msgLevel, level, err)
	}
	return nil
}

// CheckProfile reports what is wrong with the name of an AppArmor profile.
func CheckProfile(name string) error { return match(wellformed.IsProfile, name, msgProfile) }

func checkMode(mode string) error {
	switch SecurityMode(mode) {
	case SecurityStatic, SecurityDynamic, SecurityInherit:
		return nil
	}
	return fmt.Errorf(msgSecurityMode, mode)
}
