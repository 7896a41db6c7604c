package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// CreateOptions are what an administrator asks of create.
type CreateOptions struct {
	Name     string
	Units    []string // as typed; Create finds their canonical names
	Packages []string
	Command  []string
	Copy     bool
	Level    string // MCS level; empty: one is allocated
	Security string // -s option; empty: static
	Share    bool   // whether the level may be one that others reach
	FileType string
	Base     string // directory whose subdirectory Name becomes the content; empty: the default
	Mounts   []string
	Networks []string // -N options
	Identity config.Identity
	// Capabilities and IDMap are what the config says of them; empty: auto, and the host's ids.
	Capabilities string
	IDMap        string
	Image        ImageOptions
}

// For gives the options for one of several sandboxes.
func (o CreateOptions) For(name string) CreateOptions {
	o.Name = name
	// Create puts canonical names into these.
	o.Units = slices.Clone(o.Units)
	return o
}

// Create makes content and config of a new sandbox. When it fails, or is told to stop, nothing stays behind; when it is
// killed, the next create or delete of the name removes what it left.
func (m *Manager) Create(ctx context.Context, options CreateOptions) (*config.Sandbox, error) {
	s, err := newSandbox(options)
	if err != nil {
		return nil, optionError(err)
	}
	lock, err := m.lockName(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if err := m.nameIsFree(s.Name); err != nil {
		return nil, err
	}
	if err := m.planNetwork(s); err != nil {
		return nil, err
	}
	if err := m.planContent(ctx, s); err != nil {
		return nil, err
	}
	if err := m.stubs().Check(s); err != nil {
		return nil, err
	}
	fill := func() error { return m.Host.Prepare(ctx, s, m.Progress) }
	return s, m.bring(ctx, s, making{options: options, fill: fill})
}

// newSandbox checks the options and turns them into a description without content.
func newSandbox(o CreateOptions) (*config.Sandbox, error) {
	if err := config.CheckName(o.Name); err != nil {
		return nil, err
	}
	switch {
	case len(o.Units) > 0 && len(o.Command) > 0:
		return nil, errors.New("a container runs units (-u) or a command (after --), not both")
	case len(o.Units) == 0 && len(o.Command) == 0:
		return nil, errors.New("nothing to run: name a unit with -u or a command after --")
	}
	s := config.New(o.Name)
	identify(s)
	s.Units, s.Packages, s.Command, s.Copy = o.Units, o.Packages, o.Command, o.Copy
	var err error
	if s.Network, s.Interfaces, err = config.ParseNetworks(o.Networks); err != nil {
		return nil, fmt.Errorf("-N: %w", err)
	}
	if o.Capabilities != "" {
		var err error
		if s.Hardening.Capabilities, err = config.ParseCapabilities(o.Capabilities); err != nil {
			return nil, fmt.Errorf("--capabilities: %w", err)
		}
	}
	if o.IDMap != "" {
		var err error
		if s.Hardening.IDMap, err = config.ParseIDMap(o.IDMap); err != nil {
			return nil, fmt.Errorf("--idmap: %w", err)
		}
	}
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
			return nil, fmt.Errorf("-P: %w", err)
		}
	}
	for _, text := range o.Mounts {
		mount, err := config.ParseMount(text)
		if err != nil {
			return nil, fmt.Errorf("-m %s: %w", text, err)
		}
		if err := checkMountSource(mount); err != nil {
			return nil, fmt.Errorf("-m %s: %w", text, err)
		}
		s.Mounts = append(s.Mounts, mount)
	}
	if err := setImages(s, o.Image); err != nil {
		return nil, err
	}
	return s, setSecurity(s, o)
}

// identify makes a sandbox one that was not there before.
func identify(s *config.Sandbox) {
	id := uuid.New()
	s.UUID, s.MachineID = id.String(), strings.ReplaceAll(id.String(), "-", "")
	s.Created = time.Now().UTC().Truncate(time.Second)
}

// placeContent puts the content of a sandbox into the directory of -p.
func placeContent(s *config.Sandbox, dir string) error {
	base, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("-p %s: %w", dir, err)
	}
	s.Content = filepath.Join(base, s.Name)
	if err := config.CheckContent(s.Content); err != nil {
		return &OptionError{fmt.Errorf("-p: %w", err)}
	}
	return nil
}

// nameIsFree tells whether neither a config nor a libvirt domain has the name; a libvirt that does not answer is found
// out here, before anything is made.
func (m *Manager) nameIsFree(name string) error {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := os.Lstat(m.Store.Path(name)); err == nil {
		return fmt.Errorf("%s exists already (%s); choose another name or delete it first", name, m.Store.Path(name))
	}
	domain, err := connection.Domain(name)
	if err != nil {
		return err
	}
	if domain != nil {
		domain.Free()
		return fmt.Errorf("libvirt has a domain of the name %s already; choose another name", name)
	}
	return nil
}

// planContent finds the units and what is private to them.
func (m *Manager) planContent(ctx context.Context, s *config.Sandbox) error {
	var units []*unitfile.Unit
	for i, name := range s.Units {
		unit, err := unitfile.Root(m.Host.Root).Find(name, s.Name)
		if err != nil {
			return fmt.Errorf("-u: %w", err)
		}
		if err := config.CheckUnit(unit.Name); err != nil {
			return fmt.Errorf("-u %s: %w", name, err)
		}
		s.Units[i] = unit.Name
		units = append(units, unit)
	}
	s.Units = slices.Compact(s.Units)
	private, err := privatepaths.Planner(m.Host).Plan(ctx, units, s.Packages)
	if err != nil {
		return err
	}
	s.Private = private
	if err := m.Host.CheckMounts(s); err != nil {
		return fmt.Errorf("-m: %w", err)
	}
	return nil
}

// claimContent makes sure that the content directory is nobody's, and returns the topmost directory that is to be made.
func (m *Manager) claimContent(s *config.Sandbox) (made string, err error) {
	state, err := content.Inspect(s.Content)
	if err != nil {
		return "", err
	}
	switch state {
	case content.Creating:
		m.Warn("removing what an interrupted create left at %s", s.Content)
		if err := m.Host.Remove(s.Content); err != nil {
			return "", err
		}
	case content.Ours:
		return "", fmt.Errorf("%s has content of a sandbox whose config is gone; restore %s or run \"delete %s\" to give the content up",
			s.Content, m.Store.Path(s.Name), s.Name)
	case content.Foreign:
		return "", fmt.Errorf("%s exists and is not of virt-sandbox; move it away or choose another -p", s.Content)
	}
	for dir := filepath.Dir(s.Content); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == "/" {
			return made, nil
		}
		made = dir
	}
}

// removeMade removes the directories that were made on the way to the content, from dir up to top. One that another
// sandbox has come to use stays.
func removeMade(dir, top string) error {
	if top == "" {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		err := os.Remove(dir)
		if errors.Is(err, unix.ENOTEMPTY) {
			return nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if dir == top || dir == "/" {
			return nil
		}
	}
}
