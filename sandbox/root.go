// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// view returns what the machine sees of the host where no directory is its root.
func (m *virtual) view(s *config.Sandbox) (*roottree.View, error) {
	if m.options.Root != "" {
		return nil, nil
	}
	host := helper.New(helper.Options{Warn: m.options.note}).OneShots().Startup
	var useEtc func() (string, error)
	if os.Geteuid() == 0 {
		useEtc = func() (string, error) { return host.Etc().Use(places.Root("").Of(s.Name).Machine().NoteEtc) }
	}
	view, err := host.OneShotView(s, useEtc)
	return &view, err
}

// addRoot has a directory of the host be the root.
func (l *layout) addRoot(dir string) error {
	root, err := filepath.Abs(dir)
	if err != nil {
		return field.Errorf("%s %s: %w", field.Root, dir, err)
	}
	l.shares = append(l.shares, domain.Share{Tag: domain.RootTag, Dir: root, ReadOnly: true})
	l.inside.RootTag = domain.RootTag
	l.inside.Overlay = !hasPlaces(root, "/proc", "/sys", "/dev", "/run", "/tmp")
	return l.account(root, 0o005, field.Setting{Name: field.Root, Value: root})
}

// coverSize is that of memory that covers a directory, in bytes: nothing is written there.
const coverSize = 4096

// addView has a root that is made inside, with what is shown of the host. Single files that are mounts of the host,
// and directories that the emulator could not look into, are left out: a share is a directory.
func (l *layout) addView(view *roottree.View) {
	l.inside.Dirs = append(l.inside.Dirs, view.Dirs...)
	for _, link := range view.Links {
		l.inside.Links = append(l.inside.Links, guest.MachineLink{Path: link.Path, Target: link.Target})
	}
	for i, m := range view.Mounts {
		if m.Source == "" {
			l.inside.Mounts = append(l.inside.Mounts,
				guest.MachineMount{Kind: guest.MountRAM, Target: m.Target, Size: coverSize, ReadOnly: true})
			continue
		}
		info, err := os.Stat(m.Source)
		if err != nil || !info.IsDir() || (os.Geteuid() == 0 && info.Mode().Perm()&0o005 != 0o005) {
			continue
		}
		tag := fmt.Sprintf("host%d", i)
		l.shares = append(l.shares, domain.Share{Tag: tag, Dir: m.Source, ReadOnly: true})
		l.inside.Mounts = append(l.inside.Mounts,
			guest.MachineMount{Kind: guest.MountShare, Source: tag, Target: m.Target, ReadOnly: true})
	}
}
