package helper

import (
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// originalIsDown refuses a container of the original that runs, and one whose name another domain has.
func (m *Manager) originalIsDown(s *config.Sandbox) error {
	return m.withOriginal(s, func(*libvirt.Domain) error { return nil })
}

// undefineOriginal removes the domain that the original defined for a container; ours exist only while they run. It tells
// whether there was one.
func (m *Manager) undefineOriginal(s *config.Sandbox, dryRun bool) (found bool, err error) {
	err = m.withOriginal(s, func(domain *libvirt.Domain) error {
		found = true
		if dryRun {
			return nil
		}
		if err := domain.Undefine(); err != nil && !isNoDomain(err) {
			return fmt.Errorf("undefine domain %s: %s", s.Name, reason(err))
		}
		return nil
	})
	return found, err
}

// withOriginal calls act with the domain that the original defined for a container, if there is one and it is down.
func (m *Manager) withOriginal(s *config.Sandbox, act func(*libvirt.Domain) error) error {
	connection, err := m.connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	domain, err := lookup(connection, s.Name)
	if domain == nil || err != nil {
		return err
	}
	defer domain.Free()
	persistent, err := domain.IsPersistent()
	if err != nil {
		return fmt.Errorf("look at domain %s: %s", s.Name, reason(err))
	}
	text, err := domain.GetXMLDesc(0)
	if err != nil {
		return fmt.Errorf("look at domain %s: %s", s.Name, reason(err))
	}
	original, err := m.isOriginal(s, text)
	if err != nil {
		return err
	}
	active, err := domain.IsActive()
	switch {
	case err != nil:
		return fmt.Errorf("look at domain %s: %s", s.Name, reason(err))
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
