// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
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
	file := filepath.Join(dir.Guest(), filepath.Base(guest.PlanFile))
	if err := plan.Guest.Write(file, s.Hardening.IDMap.Base); err != nil {
		return nil, err
	}
	return plan, h.Mount(func() error { return roottree.Tree{Dir: facts.RootTree, Sandbox: s.Name}.Build(plan.Tree) })
}
