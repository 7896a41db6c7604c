// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/syscallfilter"
)

// New checks the options and turns them into a description without content.
func New(o Options) (*config.Sandbox, error) {
	if err := config.CheckName(o.Name); err != nil {
		return nil, err
	}
	if template, isInstance := configtree.Template(o.Name); isInstance {
		return nil, field.Errorf("%s is the name of an instance; make it of its template with %s %s", o.Name, field.Template,
			template)
	}
	switch {
	case len(o.Units) > 0 && len(o.Command) > 0:
		return nil, field.Errorf("a container runs units (%s) or a command (%s), not both", field.Units, field.Command)
	case len(o.Units) == 0 && len(o.Command) == 0:
		return nil, field.Errorf("nothing to run: name a unit with %s or a command %s", field.Units, field.Command)
	}
	s := config.New(o.Name)
	Identify(s)
	s.Units, s.Packages, s.Command, s.Copy = o.Units, o.Packages, o.Command, o.Copy
	if o.Network != "" {
		s.Network = o.Network
	}
	s.Interfaces = slices.Clone(o.Interfaces) // Each of several sandboxes gets addresses of its own.
	if err := config.CheckInterfaces(s.Network, s.Interfaces); err != nil {
		return nil, field.Errorf("%s: %w", field.Networks, err)
	}
	if o.Capabilities.String() != "" {
		s.Hardening.Capabilities = o.Capabilities
	}
	if o.SystemCalls.String() != "" {
		if err := syscallfilter.Check(o.SystemCalls); err != nil {
			return nil, field.Errorf("%s: %w", field.SystemCalls, err)
		}
		s.Hardening.SystemCalls = o.SystemCalls
	}
	s.Hardening.IDMap = o.IDMap
	if len(o.Command) > 0 {
		s.Identity = o.Identity
	}
	if o.Base != "" {
		if err := placeContent(s, o.Base); err != nil {
			return nil, err
		}
	}
	for _, name := range o.Packages {
		if err := config.CheckPackage(name); err != nil {
			return nil, field.Errorf("%s: %w", field.Packages, err)
		}
	}
	for _, p := range o.Include {
		if err := checkInclude(p); err != nil {
			return nil, field.Errorf("%s %s: %w", field.Include, p, err)
		}
		s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "admin"})
	}
	for _, text := range o.Mounts {
		mount, err := config.ParseMount(text)
		if err != nil {
			return nil, field.Errorf("%s %s: %w", field.Mounts, text, err)
		}
		if err := checkMountSource(mount); err != nil {
			return nil, field.Errorf("%s %s: %w", field.Mounts, text, err)
		}
		s.Mounts = append(s.Mounts, mount)
	}
	if err := setImages(s, o.Image); err != nil {
		return nil, err
	}
	return s, setSecurity(s, o)
}

// Instance makes the description of an instance of a template one that can be made.
func Instance(s *config.Sandbox) error {
	id := *s
	Identify(s)
	// What the template or a drop-in says counts.
	if id.UUID != "" {
		s.UUID = id.UUID
	}
	if id.MachineID != "" {
		s.MachineID = id.MachineID
	}
	if !id.Created.IsZero() || id.State != config.StateUsable {
		return fmt.Errorf("%s: created= and state= are of one sandbox; take them out of its template", s.Name)
	}
	if err := CheckMode(s); err != nil {
		return err
	}
	return CheckSources(s)
}

// checkInclude checks a path that is to be private because somebody asks for it.
func checkInclude(p string) error {
	if err := config.CheckPath(p); err != nil {
		return err
	}
	if !pathname.IsBelow(p, "/etc", "/var", "/srv", "/home", "/root") {
		return errors.New("choose a path below /etc, /var, /srv, /home or /root")
	}
	_, err := os.Lstat(p)
	return err
}

// Identify makes a sandbox one that was not there before.
func Identify(s *config.Sandbox) {
	id := uuid.New()
	s.UUID, s.MachineID = id.String(), strings.ReplaceAll(id.String(), "-", "")
	s.Created = time.Now().UTC().Truncate(time.Second)
}

// placeContent puts the content of a sandbox into the directory of -p.
func placeContent(s *config.Sandbox, dir string) error {
	base, err := filepath.Abs(dir)
	if err != nil {
		return field.Errorf("%s %s: %w", field.Base, dir, err)
	}
	s.Content = filepath.Join(base, s.Name)
	if err := config.CheckContent(s.Content); err != nil {
		return &OptionError{field.Errorf("%s: %w", field.Base, err)}
	}
	return nil
}
