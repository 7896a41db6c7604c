package helper

import (
	"errors"
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// originalIsDown refuses a container of the original that runs, and one whose name another domain has.
func (m *Manager) originalIsDown(s *config.Sandbox) error {
	return m.withOriginal(s, func(*virt.Domain) error { return nil })
}

// undefineOriginal removes the domain that the original defined for a container; ours exist only while they run. It tells
// whether there was one.
func (m *Manager) undefineOriginal(s *config.Sandbox, dryRun bool) (found bool, err error) {
	err = m.withOriginal(s, func(domain *virt.Domain) error {
		found = true
		if dryRun {
			return nil
		}
		if err := domain.Undefine(); err != nil && !errors.Is(err, virt.ErrNoDomain) {
			return err
		}
		return nil
	})
	return found, err
}

// withOriginal calls act with the domain that the original defined for a container, if there is one and it is down.
func (m *Manager) withOriginal(s *config.Sandbox, act func(*virt.Domain) error) error {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	domain, err := connection.Domain(s.Name)
	if domain == nil || err != nil {
		return err
	}
	defer domain.Free()
	persistent, err := domain.IsPersistent()
	if err != nil {
		return fmt.Errorf("look at domain %s: %w", s.Name, err)
	}
	text, err := domain.XML()
	if err != nil {
		return fmt.Errorf("look at domain %s: %w", s.Name, err)
	}
	original, err := m.isOriginal(s, text)
	if err != nil {
		return err
	}
	active, err := domain.IsActive()
	switch {
	case err != nil:
		return fmt.Errorf("look at domain %s: %w", s.Name, err)
	case !persistent && active && !original && m.run(s.Name).Phase() != "":
		// It is ours.
		return nil
	case !original:
		return fmt.Errorf("libvirt has another domain of the name %s; rename one of them", s.Name)
	case active:
		return fmt.Errorf("%s %w as the original's; stop it first, with its unit or virsh -c %s destroy %s", s.Name, ErrRunning, m.URI, s.Name)
	case !persistent:
		return nil
	}
	return act(domain)
}

// isOriginal tells whether a domain is the original's for a container: it has the directory of the original's config bound
// into it. Its UUID is not always that of the config.
func (m *Manager) isOriginal(s *config.Sandbox, xml string) (bool, error) {
	var d libvirtxml.Domain
	if err := d.Unmarshal(xml); err != nil {
		return false, fmt.Errorf("look at domain %s: %w", s.Name, err)
	}
	if d.Devices == nil {
		return false, nil
	}
	dir := filepath.Dir(m.Store.OriginalPath(s.Name))
	for _, f := range d.Devices.Filesystems {
		if f.Source != nil && f.Source.Mount != nil && filepath.Clean(f.Source.Mount.Dir) == dir {
			return true, nil
		}
	}
	return false, nil
}
