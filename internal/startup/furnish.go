// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"errors"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/lxcfs"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// furnish plans a start and makes what libvirt and virt-sandbox-init then find. Errors: roottree.ErrNoIDMap.
func (h *Host) furnish(s *config.Sandbox, dir places.RunDir, facts *boot.Facts) (*boot.Plan, error) {
	plan, err := boot.Container(s, facts)
	if err != nil {
		return nil, err
	}
	if err := h.showResolver(s, dir); err != nil {
		return nil, err
	}
	if len(facts.Proc) > 0 {
		if err := dir.MakePoint(filepath.Base(lxcfs.GuestDir)); err != nil {
			return nil, err
		}
	}
	written := make(chan error, 1)
	go func() {
		file := filepath.Join(dir.Guest(), filepath.Base(guest.PlanFile))
		written <- plan.Guest.Write(file, s.Hardening.IDMap.Base)
	}()
	plan.Tree.Others = h.writtenByOthers
	err = h.Mount(func() error { return roottree.Tree{Dir: facts.RootTree, Sandbox: s.Name}.Build(plan.Tree) })
	if err := errors.Join(<-written, err); err != nil {
		return nil, err
	}
	return plan, nil
}

// writtenByOthers returns what all containers that stay write to. A config that cannot be read starts none.
func (h *Host) writtenByOthers() (paths []string) {
	names, err := h.Configs.Names()
	if err != nil {
		h.Warn("cannot tell what other containers write to: %v", err)
	}
	for _, name := range names {
		if s, err := h.Configs.Load(name); err == nil {
			paths = append(paths, boot.Written(s)...)
		}
	}
	return paths
}
