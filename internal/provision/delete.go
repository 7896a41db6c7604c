// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/apparmor"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentjournal"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy"
	"github.com/virt-sandbox/virt-sandbox/internal/legacy/takeover"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// Delete removes a container that is down with all that belongs to it, or what an interrupted create left. It can be
// killed at any point and run again. base is where content lies whose config is gone. With keepJournal the
// container's journal stays, in the directory of the host's that it returns. Errors: config.ErrNotFound, ErrRunning.
func (p *Provisioner) Delete(ctx context.Context, name, base string, keepJournal bool) (journal string, err error) {
	if err := config.CheckName(name); err != nil {
		return "", err
	}
	lock, err := p.Containers.LockName(ctx, name)
	if err != nil {
		return "", err
	}
	defer lock.Release()
	if file := p.Configs.Tree().LowerPath(name); file != "" {
		return "", fmt.Errorf("%s is a config of %s that is not an administrator's; remove it, and then run delete again",
			file, name)
	}
	s, err := p.Configs.Load(name)
	if errors.Is(err, config.ErrNotFound) {
		if err := p.deleteLeftovers(name, base, err); err != nil {
			return "", err
		}
		p.tellUnread(name, p.Systemd.Reload(ctx))
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("%w; correct that, or remove %s and run delete again", err, p.Configs.Path(name))
	}
	if err := p.Containers.EndUnfinished(ctx, s); err != nil {
		return "", err
	}
	defer p.Images.Close(name)
	if err := p.Images.Open(ctx, s); err != nil {
		return "", fmt.Errorf("look into the content before it is removed: %w; if it is lost anyway, remove %s by hand",
			err, s.Image)
	}
	state, err := content.Inspect(s.Content)
	if err != nil {
		return "", err
	}
	if state == content.Foreign {
		return "", fmt.Errorf("%s is not content of virt-sandbox; correct content= in %s", s.Content, p.Configs.Path(name))
	}
	owner, _, err := p.ownerOf(s)
	if err != nil {
		return "", err
	}
	if owner != name {
		p.Warn("%s stays: it is the content of %s", s.Content, owner)
		s.Content = ""
	}
	if keepJournal && state == content.Ours && owner == name {
		// Before anything is lost: where this fails, nothing has been deleted.
		if journal, err = contentjournal.Keep(p.Host, s); err != nil {
			return "", err
		}
	}
	return journal, p.remove(ctx, s)
}

// remove removes all of a container that is down, the mark that it is being deleted first and the config last.
// Content is left out where the sandbox has none of its own.
func (p *Provisioner) remove(ctx context.Context, s *config.Sandbox) error {
	name := s.Name
	if s.Content != "" {
		s.State = config.StateDeleting
		if err := p.Configs.Keep(s); err != nil {
			return err
		}
	}
	if err := p.Containers.Sweep(name); err != nil {
		return err
	}
	err := errors.Join(virt.NewStateFiles(p.Host.Root).RemoveLog(name), apparmor.Root(p.Host.Root).Remove(s.UUID))
	if err != nil {
		return err
	}
	if s.Content != "" {
		if err := errors.Join(p.Host.UnlinkJournal(s.MachineID, s.Content), p.Host.Remove(s.Content)); err != nil {
			return err
		}
		if s.Image != "" {
			if err := sandboximage.Remove(s.Image); err != nil {
				return err
			}
		}
	}
	if err := p.Stubs.Remove(name); err != nil {
		return err
	}
	if err := p.Stubs.RemoveDropIns(s); err != nil {
		return err
	}
	remains := takeover.Remains{Name: name, Configs: legacy.Configs{Store: p.Configs}, Stubs: p.Stubs}
	if err := errors.Join(remains.RemoveBackups(), p.Configs.RemoveDropIns(name), p.Configs.Remove(name)); err != nil {
		return err
	}
	p.tellUnread(name, p.Systemd.Forget(ctx, s.HostUnit()))
	return nil
}

// tellUnread says that systemd still has the unit of what is deleted.
func (p *Provisioner) tellUnread(name string, err error) {
	if err != nil {
		p.Warn("%s is deleted, but systemd still knows its unit; run systemctl daemon-reload: %v", name, err)
	}
}

func (p *Provisioner) deleteLeftovers(name, base string, notFound error) error {
	if base == "" {
		base = p.Host.Root + config.DefaultContentBase
	}
	base, err := filepath.Abs(base)
	if err != nil {
		return field.Errorf("%s %s: %w", field.Base, base, err)
	}
	if err := p.noDomain(name); err != nil {
		return err
	}
	if p.Configs.States.Has(name) {
		notFound = nil
	}
	if err := errors.Join(p.Stubs.Remove(name), p.Configs.Remove(name)); err != nil {
		return err
	}
	book := p.Claims
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
		if owner, _, err := p.ownerOf(&config.Sandbox{Name: name, Content: dir}); err != nil || owner != name {
			return errors.Join(notFound, err)
		}
		return errors.Join(p.Containers.Sweep(name), virt.NewStateFiles(p.Host.Root).RemoveLog(name), p.Host.Remove(dir))
	case content.Absent:
		// An empty directory of that name is what a create leaves that is killed at once.
		if os.Remove(dir) == nil {
			return nil
		}
	}
	return notFound
}

// noDomain refuses a name whose config is gone while libvirt runs a container of it.
func (p *Provisioner) noDomain(name string) error {
	connection, err := p.Connect()
	if err != nil {
		return err
	}
	defer connection.Close()
	running, err := connection.HasDomain(name)
	if err != nil || !running {
		return err
	}
	return fmt.Errorf("%s has no config but a domain that %w; end it with \"virsh -c %s destroy %s\" first",
		name, ErrRunning, connection.URI(), name)
}
