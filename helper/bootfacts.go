package helper

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/oneshot"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// planStart plans the start of a container that stays, and puts what it needs into its places on the host.
func (m *Manager) planStart(connection *virt.Connection, s *config.Sandbox, dir places.RunDir) (*boot.Plan, error) {
	layout, err := m.Host.Layout(s)
	if err != nil {
		return nil, err
	}
	for _, p := range layout.Missing {
		if strings.HasPrefix(p, "/etc/") {
			m.Warn("%s is not private in %s: the host has no such path to mount over", p, s.Name)
		}
	}
	facts, err := m.bootFacts(connection, s, dir)
	if err != nil {
		return nil, err
	}
	facts.Binds = layout.Binds
	if s.Generic() {
		if facts.Groups, err = groupsOf(s.Identity.UID); err != nil {
			return nil, err
		}
	}
	return furnished(s, dir, facts)
}

// planOneShot plans the start of a one-shot, and puts what it needs into its places on the host. Where the file
// systems cannot show files to a user namespace, the one-shot has the host's ids: its command is no root in any case.
func (m *Manager) planOneShot(connection *virt.Connection, t oneshot.Spec, dir places.RunDir) (*boot.Plan, error) {
	s := t.Sandbox
	facts, err := m.bootFacts(connection, s, dir)
	if err != nil {
		return nil, err
	}
	facts.Groups, facts.OneShot = t.Groups, &boot.OneShot{Root: t.Root, Shell: t.Shell}
	if target, err := filepath.EvalSymlinks("/etc/resolv.conf"); err == nil {
		facts.Resolver = target
	}
	plan, err := furnished(s, dir, facts)
	if errors.Is(err, roottree.ErrNoIDMap) {
		t.Note("no user namespace: %v", err)
		s.Hardening.IDMap = config.IDMap{}
		if err := m.rootTree(s.Name).Remove(); err != nil {
			return nil, err
		}
		return furnished(s, dir, facts)
	}
	return plan, err
}

// bootFacts asks the host for what every start depends on.
func (m *Manager) bootFacts(connection *virt.Connection, s *config.Sandbox, dir places.RunDir) (*boot.Facts, error) {
	facts := boot.Facts{
		SELinux: m.Host.SELinux(), SetupLabel: m.setupLabel(s), Runtime: dir.Guest(), RootTree: m.rootTree(s.Name).Dir,
	}
	var err error
	if facts.Asked, err = m.askedCapabilities(s); err != nil {
		return nil, err
	}
	if facts.Lacks, err = missingCapabilities(); err != nil {
		return nil, err
	}
	if facts.Mounted, facts.Devices, err = m.attached(s); err != nil {
		return nil, err
	}
	if facts.SecurityModel, err = connection.SecurityModel(); err != nil {
		return nil, err
	}
	if facts.SecurityModel == "apparmor" {
		if facts.Profile, err = m.apparmor().PayloadProfile(s); err != nil {
			return nil, err
		}
	}
	if facts.Init, err = programs.Find(guest.Program); err != nil {
		return nil, err
	}
	facts.Memory, err = connection.HostMemory()
	return &facts, err
}

// furnished plans a start and makes what libvirt and virt-sandbox-init then find. Errors: roottree.ErrNoIDMap.
func furnished(s *config.Sandbox, dir places.RunDir, facts *boot.Facts) (*boot.Plan, error) {
	plan, err := boot.Container(s, facts)
	if err != nil {
		return nil, err
	}
	if s.Hardening.IDMap.Mapped() {
		show := roottree.Content{Base: "/", IDs: s.Hardening.IDMap, Binds: plan.Tree}
		if facts.OneShot != nil && facts.OneShot.Root != "" {
			show.Base = facts.OneShot.Root
		}
		if show.Base == "/" {
			show.Below = content.SharedMounts
		}
		if err := (roottree.Tree{Dir: facts.RootTree, Sandbox: s.Name}).Build(show); err != nil {
			return nil, err
		}
	}
	if plan.CopyInit {
		if err := dir.CopyInit(facts.Init, guest.Program); err != nil {
			return nil, err
		}
	}
	return plan, plan.Guest.Write(filepath.Join(dir.Guest(), filepath.Base(guest.PlanFile)))
}

// groupsOf returns the ids of an account's groups. An account that the host does not know has none.
func groupsOf(uid uint32) (groups []uint32, err error) {
	account, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return nil, nil
	}
	ids, err := account.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("read groups of %s: %w", account.Username, err)
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			groups = append(groups, uint32(n))
		}
	}
	return groups, nil
}
