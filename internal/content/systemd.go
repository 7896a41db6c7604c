// SPDX-License-Identifier: Apache-2.0

package content

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/privatepaths"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// SystemDir is where the tree has units and their drop-ins.
const SystemDir = "etc/systemd/system"

// systemd makes the container's own /etc/systemd/system: its units wanted by the boot target, with the administrator's
// changes to them, and nothing else that is enabled on the host.
func (b *builder) systemd(ctx context.Context) error {
	if b.sandbox.Generic() {
		return nil
	}
	set, err := b.units()
	if err = errors.Join(err, b.absent); err != nil {
		return err
	}
	made := map[string]bool{SystemDir: true}
	for _, e := range innerboot.Plan(unitfile.Root(b.host.Root), b.sandbox, set, b.host.DeniesMounts(b.sandbox)) {
		name := path.Join(SystemDir, e.Path)
		if dir := path.Dir(name); !made[dir] {
			made[dir] = true
			if err := b.dir(dirSpec{dir, 0o755, ""}); err != nil {
				return err
			}
		}
		switch {
		case e.Link != "" && e.Host != "":
			err = b.hostLink(name, e.Link)
		case e.Link != "":
			err = errors.Join(b.unmask(name, e.Link), b.link(name, e.Link))
		case e.Host != "":
			err = b.copySmall(e.Host, name)
		default:
			err = b.file(name, e.Text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(b.takeFormer(set), b.generators(ctx, set))
}

// unmask removes a mask in the wants of a target that was made before the container was told to run the unit.
func (b *builder) unmask(name, target string) error {
	if b.renewal != nil || target == "/dev/null" || !strings.HasSuffix(path.Dir(name), ".wants") {
		return nil
	}
	parent, base, err := b.parent(name)
	if err != nil {
		return err
	}
	if old, err := parent.Readlink(base); err != nil || old != "/dev/null" {
		return nil
	}
	return parent.Remove(base)
}

// generators lets those run inside that packages of the container's units have: once, since it is the administrator's
// matter from then on.
func (b *builder) generators(ctx context.Context, set unitfile.Set) error {
	dir := strings.TrimPrefix(guest.GeneratorDir, "/")
	readme := dir + "/README"
	if b.renewal != nil || b.complete && exists(b.tree, readme) {
		return nil
	}
	found, err := privatepaths.Planner(b.host).Generators(ctx, set.All(), b.sandbox.Packages)
	if err != nil {
		return err
	}
	if err := b.dir(dirSpec{dir, 0o755, ""}); err != nil {
		return err
	}
	for _, file := range found {
		if err := b.link(dir+"/"+path.Base(file), file); err != nil {
			return err
		}
	}
	return b.file(readme, innerboot.GeneratorReadme, 0o644)
}

// hostLink makes a link that the host's administrator has.
func (b *builder) hostLink(name, target string) error {
	if b.renewal != nil {
		return nil
	}
	if gone, err := b.isGone(name); gone || err != nil {
		return err
	}
	return b.link(name, target)
}

func (b *builder) copySmall(hostPath, inTree string) error {
	if b.renewal != nil {
		// It is the administrator's, on both sides.
		return nil
	}
	data, err := os.ReadFile(b.host.Root + hostPath)
	if err != nil {
		return fmt.Errorf("copy %s: %w", hostPath, err)
	}
	return b.hostFile(inTree, string(data))
}
