// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
)

// Reconcile turns a config that somebody wrote or copied into the directory into what create would have made:
// identity, level and private paths. What the content was made with is taken from there. It is kept, beside the config,
// before any content is made of it, so that an interruption changes nothing of that. It returns what lies at the
// content directory.
// Preconditions: the caller holds the lock on the sandbox's name.
func (p *Provisioner) Reconcile(ctx context.Context, s *config.Sandbox) (content.State, error) {
	state, copied, err := p.identify(s)
	if err != nil {
		return state, err
	}
	keep := p.Configs.Keep
	if copied {
		keep = p.saveCopied
	}
	static := s.Security.Mode == config.SecurityStatic
	if err := p.Levels.CheckIDs(s); err != nil {
		return state, err
	}
	if err := p.Network.CheckMACs(s); err != nil {
		return state, err
	}
	if s.HasMACs() && !s.Hardening.IDMap.Auto && !s.Created.IsZero() && s.UUID != "" && s.MachineID != "" &&
		(s.Security.Level != "" || !static) {
		return state, keep(s)
	}
	if s.UUID == "" {
		s.UUID = uuid.New().String()
	}
	if s.MachineID == "" {
		s.MachineID = strings.ReplaceAll(s.UUID, "-", "")
	}
	if err := p.chooseMACs(s); err != nil {
		return state, err
	}
	if s.Created.IsZero() {
		if err := p.planBesideListed(ctx, s); err != nil {
			return state, err
		}
	}
	reservation, err := p.Levels.ReserveLevel(ctx, s, func(use alloc.Use) error {
		p.Warn("%s: level %s is not kept apart from %s, which %s has; change one of them unless that is meant",
			p.Configs.Path(s.Name), s.Security.Level, use.Level, use.By)
		return nil
	})
	if err != nil {
		return state, err
	}
	defer reservation.Release()
	ids, err := p.Levels.ReserveIDs(ctx, s)
	if err != nil {
		return state, err
	}
	defer ids.Release()
	if err := p.CheckPolicy(s); err != nil {
		return state, fmt.Errorf("%s: %w", p.Configs.Path(s.Name), err)
	}
	return state, keep(s)
}

// identify finds out which sandbox a config is of, and whether the config says that it is another: it is a copy then,
// and s has what only one of the two can have no more.
func (p *Provisioner) identify(s *config.Sandbox) (state content.State, copied bool, err error) {
	was := *s
	if state, err = p.takeIdentity(s); err == nil && state == content.Absent {
		err = p.detectCopiedConfig(s)
	}
	isLost := func(was, is string) bool { return was != "" && was != is }
	copied = s.Content != was.Content || isLost(was.UUID, s.UUID) || isLost(was.MachineID, s.MachineID)
	return state, copied, err
}

// saveCopied keeps what a copy of a config got for itself, and takes out of the config what is that of the other.
func (p *Provisioner) saveCopied(s *config.Sandbox) error {
	if err := p.Configs.Keep(s); err != nil {
		return err
	}
	now, err := p.Configs.Load(s.Name)
	if err == nil && now.UUID == s.UUID && now.MachineID == s.MachineID && now.Content == s.Content {
		return nil
	}
	file := p.Configs.Path(s.Name)
	if err = p.isNoLink(s.Name); err == nil {
		err = p.Configs.Save(s)
	}
	if err != nil {
		return fmt.Errorf("%s is a copy of another sandbox's config, and says that it is that one; run upgrade %s, or leave "+
			"out uuid=, machine-id=, created= and content=: %w", file, s.Name, err)
	}
	return nil
}

// isNoLink refuses a config that lies elsewhere: who put it or the link there writes it there.
func (p *Provisioner) isNoLink(name string) error {
	if source := p.Configs.SourcePath(name); source != p.Configs.Path(name) {
		return fmt.Errorf("its config is %s", source)
	}
	info, err := os.Lstat(p.Configs.Path(name))
	if err == nil && info.Mode().Type() == fs.ModeSymlink {
		return fmt.Errorf("%s is a link", p.Configs.Path(name))
	}
	return nil
}

// Split takes out of a config of format 1 what was found or allocated, which it had too, and keeps that beside it. A
// config that cannot be written stays: then both say the same.
// Preconditions: the caller holds the lock on the sandbox's name, and its image is mounted if it has one.
func (p *Provisioner) Split(s *config.Sandbox) error {
	_, copied, err := p.identify(s)
	if err != nil {
		return err
	}
	if copied {
		return p.saveCopied(s)
	}
	if err := p.Configs.Keep(s); err != nil {
		return err
	}
	if err = p.isNoLink(s.Name); err == nil {
		err = p.Configs.Save(s)
	}
	if err != nil {
		p.Warn("the config of %s keeps format 1, which goes on working: %v", s.Name, err)
	}
	return nil
}

// takeIdentity gives a config what its content knows and it does not say. A config that names the content of another
// sandbox is refused, unless it is a copy of that one's: then it gets content of its own.
func (p *Provisioner) takeIdentity(s *config.Sandbox) (content.State, error) {
	state, err := content.Inspect(s.Content)
	if err != nil || state == content.Absent || state == content.Foreign {
		return state, err
	}
	owner, id, err := p.ownerOf(s)
	if err != nil {
		return state, err
	}
	if owner != s.Name {
		if id == nil || s.UUID == "" || s.UUID != id.UUID {
			return state, p.contentIsOf(s, owner)
		}
		if s.Image != "" {
			return state, p.imageIsOf(s, owner)
		}
		s.Content = filepath.Join(filepath.Dir(s.Content), s.Name)
		p.Warn("%s is a copy of the config of %s; its content is %s", s.Name, owner, s.Content)
		return content.Inspect(s.Content)
	}
	if id == nil {
		return state, nil
	}
	if s.UUID == "" {
		s.UUID = id.UUID
	}
	if s.MachineID == "" {
		s.MachineID = id.MachineID
	}
	if s.Security.Level == "" && s.Security.Mode == config.SecurityStatic {
		s.Security.Level = id.Level
	}
	return state, nil
}

// planBesideListed adds to the private paths that a person listed those that create would find, for units by the names
// that the person gave them.
func (p *Provisioner) planBesideListed(ctx context.Context, s *config.Sandbox) error {
	units := slices.Clone(s.Units)
	if err := p.PlanContent(ctx, s); err != nil {
		return err
	}
	for _, unit := range units {
		if !slices.Contains(s.Units, unit) {
			return fmt.Errorf("%s: unit %s is another name of one of %s; name that",
				p.Configs.Path(s.Name), unit, strings.Join(s.Units, ", "))
		}
	}
	s.Units = units
	return nil
}

// detectCopiedConfig finds out whether a config without content is a copy of another one, name changed, and gives it
// an identity of its own.
func (p *Provisioner) detectCopiedConfig(s *config.Sandbox) error {
	names, err := p.Configs.Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == s.Name {
			continue
		}
		other, err := p.Configs.Known(name)
		if err != nil {
			continue
		}
		if other.Content == s.Content {
			return p.contentIsOf(s, name)
		}
		if s.Image != "" && other.Image == s.Image {
			return p.imageIsOf(s, name)
		}
		if (s.UUID == "" || s.UUID != other.UUID) && (s.MachineID == "" || s.MachineID != other.MachineID) {
			continue
		}
		p.Warn("%s is a copy of the config of %s; it gets a uuid and machine-id of its own", s.Name, name)
		s.UUID, s.MachineID, s.Created = "", "", time.Time{}
		if s.Security.Level == other.Security.Level && !s.Security.HasLabel() {
			p.Warn("%s gets an MCS level of its own in place of %s, which %s has", s.Name, s.Security.Level, name)
			s.Security.Level = ""
		}
		hostnet.DropMACsOf(s, other)
		if s.Hardening.IDMap.Mapped() && s.Hardening.IDMap.Overlaps(other.Hardening.IDMap) {
			s.Hardening.IDMap = config.IDMap{Auto: true}
		}
	}
	return nil
}
