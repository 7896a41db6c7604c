// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/hostetc"
)

// chooseIDMap gives a new sandbox ids of its own, unless it was asked for others or they do not go with what it was
// asked for; then it says why not. Where they were asked for, what does not go with them is refused.
func (p *Provisioner) chooseIDMap(s *config.Sandbox) error {
	asked := s.Hardening.IDMap
	if asked.None {
		return nil
	}
	err := p.checkIDMap(s)
	switch {
	case asked != (config.IDMap{}) && err != nil:
		return err
	case err != nil:
		s.Hardening.IDMap = config.IDMap{None: true}
		p.Warn("%s has the user ids of the host: %v", s.Name, err)
	case asked == (config.IDMap{}):
		s.Hardening.IDMap = config.IDMap{Auto: true}
	}
	return nil
}

// giveIDs gives a sandbox ids of its own that comes without, from somebody who need not be trusted, where the host can.
func (p *Provisioner) giveIDs(s *config.Sandbox) {
	if ids := s.Hardening.IDMap; ids.Auto || ids.Mapped() {
		return
	}
	if err := p.checkIDMap(s); err != nil {
		p.Warn("%s has the user ids of the host, as in the archive: %v", s.Name, err)
		return
	}
	s.Hardening.IDMap = config.IDMap{Auto: true}
	p.Warn("%s has user ids of its own, as new sandboxes have; %s keeps those of the host, as in the archive", s.Name,
		field.Trust)
}

// checkIDMap reports whether a sandbox can have ids of its own.
func (p *Provisioner) checkIDMap(s *config.Sandbox) error {
	if s.Network == config.NetworkHost {
		// The kernel gives the rights over a network to root of the user namespace that it was made in.
		return field.Errorf("%s host does not go with %s: root of such ids has no rights over the host's network",
			field.Networks, field.IDMap)
	}
	paths := []string{"/usr", p.existing(hostetc.Base), p.existing(filepath.Dir(s.Content))}
	for _, m := range s.Mounts {
		if m.Kind.ShowsHostFiles() {
			paths = append(paths, m.Source)
		}
	}
	if err := p.CheckIDMap(paths); err != nil {
		return fmt.Errorf("it cannot have ids of its own: %w", err)
	}
	return nil
}

// existing returns the first directory upwards that is there.
func (p *Provisioner) existing(dir string) string {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	return dir
}
