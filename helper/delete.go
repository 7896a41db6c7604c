package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
)

// Delete removes a container that is down with all that belongs to it, or what an interrupted create left. It can be
// killed at any point and run again. base is where content lies whose config is gone. With keepJournal the container's
// journal stays, in the directory of the host's that it returns. Errors: config.ErrNotFound, ErrRunning.
func (m *Manager) Delete(ctx context.Context, name, base string, keepJournal bool) (journal string, err error) {
	if err := config.CheckName(name); err != nil {
		return "", err
	}
	lock, err := m.lockName(ctx, name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	s, err := m.Store.Load(name)
	if errors.Is(err, config.ErrNotFound) {
		if err := m.deleteLeftovers(name, base, err); err != nil {
			return "", err
		}
		return "", m.ReloadHost(ctx)
	}
	if err != nil {
		return "", err
	}
	if err := m.endUnfinished(ctx, s); err != nil {
		return "", err
	}
	defer m.images().Close(name)
	if err := m.images().Open(ctx, s); err != nil {
		return "", fmt.Errorf("look into the content before it is removed: %w; if it is lost anyway, remove %s by hand", err, s.Image)
	}
	state, err := content.Inspect(s.Content)
	if err != nil {
		return "", err
	}
	if state == content.Foreign {
		return "", fmt.Errorf("%s is not content of virt-sandbox; correct content= in %s", s.Content, m.Store.Path(name))
	}
	owner, _, err := m.ownerOf(s)
	if err != nil {
		return "", err
	}
	if owner != name {
		m.Warn("%s stays: it is the content of %s", s.Content, owner)
		s.Content = ""
	}
	if keepJournal && state == content.Ours && owner == name {
		// Before anything is lost: where this fails, nothing has been deleted.
		if journal, err = m.Host.KeepJournal(s); err != nil {
			return "", err
		}
	}
	return journal, m.remove(ctx, s)
}

// remove removes all of a container that is down, the mark that it is being deleted first and the config last. Content
// is left out where the sandbox has none of its own.
func (m *Manager) remove(ctx context.Context, s *config.Sandbox) error {
	name := s.Name
	if s.Content != "" {
		s.State = config.StateDeleting
		if err := m.Store.Save(s); err != nil {
			return err
		}
	}
	if err := m.sweep(name); err != nil {
		return err
	}
	if err := errors.Join(m.stateFiles().RemoveLog(name), m.apparmor().Remove(s.UUID)); err != nil {
		return err
	}
	if s.Content != "" {
		if err := errors.Join(m.Host.UnlinkJournal(s.MachineID, s.Content), m.Host.Remove(s.Content)); err != nil {
			return err
		}
		if s.Image != "" {
			if err := sandboximage.Remove(s.Image); err != nil {
				return err
			}
		}
	}
	if err := m.stubs().Remove(name); err != nil {
		return err
	}
	if err := m.stubs().RemoveDropIns(s); err != nil {
		return err
	}
	if err := errors.Join(m.remains(name).RemoveBackups(), m.Store.Remove(name)); err != nil {
		return err
	}
	return m.systemd.Forget(ctx, s.HostUnit())
}

// endUnfinished refuses a container that is up, and ends one that an interrupted start or stop left half way.
func (m *Manager) endUnfinished(ctx context.Context, s *config.Sandbox) error {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	started, err := m.asStarted(s.Name)
	if err != nil {
		return err
	}
	running, err := connection.OwnDomain(started)
	if err != nil || running == nil {
		return err
	}
	running.Free()
	if m.run(s.Name).Phase() == places.PhaseReady {
		return fmt.Errorf("%s %w; stop it first", s.Name, ErrRunning)
	}
	m.Warn("ending what an interrupted start or stop left of %s", s.Name)
	return m.endLeftover(ctx, connection, started)
}

func (m *Manager) deleteLeftovers(name, base string, notFound error) error {
	if base == "" {
		base = config.DefaultContentBase
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return field.Errorf("%s %s: %w", field.Base, base, err)
	}
	if err := m.noDomain(name); err != nil {
		return err
	}
	if err := errors.Join(m.stubs().Remove(name), m.Store.Remove(name)); err != nil {
		return err
	}
	book := m.claims()
	claims, err := book.DetachOnly(name)
	if err != nil {
		return err
	}
	hadImage, err := book.RemoveUnfinished(name, claims)
	if err != nil {
		return err
	}
	// Last: only the note tells of an image that lies elsewhere.
	if err := book.Forget(name); err != nil {
		return err
	}
	if hadImage {
		notFound = nil
	}
	dir := filepath.Join(base, name)
	state, err := content.Inspect(dir)
	if err != nil {
		return err
	}
	switch state {
	case content.Creating, content.Ours:
		if owner, _, err := m.ownerOf(&config.Sandbox{Name: name, Content: dir}); err != nil || owner != name {
			return errors.Join(notFound, err)
		}
		return errors.Join(m.sweep(name), m.stateFiles().RemoveLog(name), m.Host.Remove(dir))
	case content.Absent:
		// An empty directory of that name is what a create leaves that is killed at once.
		if os.Remove(dir) == nil {
			return nil
		}
	}
	return notFound
}

// noDomain refuses a name whose config is gone while libvirt runs a container of it.
func (m *Manager) noDomain(name string) error {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	running, err := connection.Domain(name)
	if err != nil || running == nil {
		return err
	}
	running.Free()
	return fmt.Errorf("%s has no config but a domain that %w; end it with \"virsh -c %s destroy %s\" first", name, ErrRunning, m.URI, name)
}
