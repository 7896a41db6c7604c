package describe

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// New checks the options and turns them into a description without content.
func New(o Options) (*config.Sandbox, error) {
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
	Identify(s)
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
		return fmt.Errorf("-p %s: %w", dir, err)
	}
	s.Content = filepath.Join(base, s.Name)
	if err := config.CheckContent(s.Content); err != nil {
		return &OptionError{fmt.Errorf("-p: %w", err)}
	}
	return nil
}
