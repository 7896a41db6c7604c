// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Import is a legacy config as one of ours.
type Import struct {
	// Sandbox has neither units, which the legacy tool kept elsewhere, nor a level unless its label had one for good.
	Sandbox *config.Sandbox
	// Notes are what the legacy config says and ours does not, a line each that begins with file and line.
	Notes []string
	// Tree is the path at which the command of a generic container saw its whole content; empty for none.
	Tree string
}

// Sandbox turns a legacy config into ours. What would make another container of it, or none, is an error of type
// *config.SyntaxError.
func (c *Config) Sandbox() (*Import, error) {
	v := converter{Config: c, result: &Import{Sandbox: config.New(c.Name)}}
	v.core()
	v.content()
	for _, m := range c.Mounts {
		v.mount(m)
	}
	v.security()
	for _, d := range c.Disks {
		v.disk(d)
	}
	for _, n := range c.Networks {
		v.network(n)
	}
	// What one line cannot be blamed for.
	v.check(0, v.result.Sandbox.CheckStorage())
	for _, e := range c.Environment {
		v.check(e.Line, config.CheckVariable(e.Name))
		variable := config.Variable{Name: e.Name, Value: e.Value}
		v.result.Sandbox.Environment = append(v.result.Sandbox.Environment, variable)
	}
	for _, u := range c.unknown {
		v.note(u.line, u.text)
	}
	if v.err != nil {
		return nil, v.err
	}
	return v.result, nil
}

// at begins a message with file and line.
func (c *Config) at(line int, text string) string {
	return (&config.SyntaxError{File: c.File, Line: line, Message: text}).Error()
}

// converter makes an Import; the first mistake stays.
type converter struct {
	*Config
	result *Import
	err    error
}

func (v *converter) fail(line int, format string, args ...any) {
	if v.err == nil {
		v.err = &config.SyntaxError{File: v.File, Line: line, Message: fmt.Sprintf(format, args...)}
	}
}

func (v *converter) check(line int, err error) {
	if err != nil {
		v.fail(line, "%v", err)
	}
}

func (v *converter) note(line int, text string) {
	v.result.Notes = append(v.result.Notes, v.at(line, text))
}

func (v *converter) core() {
	s := v.result.Sandbox
	v.check(v.lines["core/name"], config.CheckName(v.Name))
	if v.UUID != "" {
		id, err := uuid.Parse(v.UUID)
		if err != nil {
			v.fail(v.lines["core/uuid"], "uuid=%s is not a UUID", v.UUID)
		}
		s.UUID, s.MachineID = id.String(), strings.ReplaceAll(id.String(), "-", "")
	}
	if v.Root != "/" {
		v.fail(v.lines["core/root"], "root=%s: the root of our containers is the host's; make another container",
			v.Root)
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686"}[runtime.GOARCH]
	if v.Arch != "" && machine != "" && v.Arch != machine {
		v.note(v.lines["core/arch"], "arch="+v.Arch+" is not this host's, which containers have")
	}
	for _, key := range []string{"kernrelease", "kernpath", "kmodpath"} {
		if line := v.lines["core/"+key]; line > 0 {
			v.note(line, key+"= is for virtual machines; containers have the host's kernel")
		}
	}
	for key, set := range map[string]bool{"shell": v.Shell, "debug": v.Debug, "verbose": v.Verbose} {
		if set {
			v.note(v.lines["core/"+key], key+"= has no counterpart; see execute and journalctl")
		}
	}
	slices.Sort(v.result.Notes)
	switch v.Class {
	case ClassInteractive:
		v.fail(v.lines["api/class"], "it is of the one-shot tool, which keeps no containers")
	case ClassGeneric:
		s.Command = v.Command
		s.Identity = config.Identity{UID: v.UID, GID: v.GID, User: v.User, Home: v.Home}
		if v.User != "" {
			v.check(v.lines["identity/username"], config.CheckUser(v.User))
		}
		if v.Home != "" {
			v.check(v.lines["identity/homedir"], config.CheckPath(v.Home))
		}
	case ClassSystemd:
		v.check(v.lines["service/bootTarget"], config.CheckUnit(v.BootTarget))
		s.BootTarget = v.BootTarget
		if v.UID != 0 {
			v.note(v.lines["identity/uid"], "uid= other than 0 is nothing that systemd could run as")
		}
	}
}

// security keeps the level of a label, and the whole of one that is not the default. The policy has the legacy type of
// processes as an alias. Only files in an image can have a label that is chosen at each start.
func (v *converter) security() {
	security := &v.result.Sandbox.Security
	line := v.lines["security/label"]
	switch {
	case v.Label == "":
		return
	case !strings.Contains(v.Label, ":"):
		v.check(line, config.CheckProfile(v.Label))
		security.AppArmor = v.Label
		return
	case v.Dynamic && v.result.Sandbox.Image == "":
		v.note(line, "the level of a dynamic label was chosen anew at each start; it gets one of its own for good")
		return
	}
	label, err := config.ParseLabel(v.Label)
	if err != nil {
		v.check(line, err)
		return
	}
	if v.Dynamic {
		security.Mode = config.SecurityDynamic
	}
	if label.User != "system_u" || label.Role != "system_r" || !label.OfContainer() {
		security.SetLabel(label)
	}
	if v.Dynamic {
		return
	}
	security.Level = label.Level
	if !strings.Contains(label.Level, ":") {
		v.note(line, "level "+label.Level+" is kept, which keeps it apart from no other container; "+
			"for one of its own set level= and run check --fix")
	}
}

// content finds the directory that was bound below the container, or that the image was mounted at.
func (v *converter) content() {
	s := v.result.Sandbox
	for _, m := range v.Mounts {
		switch {
		case m.Kind != HostBind && m.Kind != GuestBind:
			continue
		case v.Class == ClassGeneric && path.Base(m.Source) == v.Name && m.Target == path.Dir(m.Source):
			s.Content, v.result.Tree = m.Source, m.Target
		case v.Class == ClassSystemd && m.Target == "/var" && strings.HasSuffix(m.Source, "/var"):
			s.Content = strings.TrimSuffix(m.Source, "/var")
		default:
			continue
		}
		v.check(m.Line, config.CheckContent(s.Content))
		return
	}
}
