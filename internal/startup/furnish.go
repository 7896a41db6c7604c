// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// furnish plans a start and makes what libvirt and virt-sandbox-init then find. Errors: roottree.ErrNoIDMap.
func furnish(s *config.Sandbox, dir places.RunDir, facts *boot.Facts) (*boot.Plan, error) {
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
