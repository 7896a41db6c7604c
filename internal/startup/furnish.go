// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// furnish plans a start and makes what libvirt and virt-sandbox-init then find. Errors: roottree.ErrNoIDMap.
func (h *Host) furnish(s *config.Sandbox, dir places.RunDir, facts *boot.Facts) (*boot.Plan, error) {
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
		build := func() error { return roottree.Tree{Dir: facts.RootTree, Sandbox: s.Name}.Build(show) }
		if err := h.Mount(build); err != nil {
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
