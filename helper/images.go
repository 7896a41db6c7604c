package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
)

// claims returns the notes of which images the sandboxes of this host use.
func (m *Manager) claims() *claims.Book {
	return claims.New(claims.Options{
		Root: m.Host.Root, InHostMounts: namespace.InHostMounts, UnlinkJournals: m.Host.UnlinkJournals, Warn: m.Warn,
		Lock: func(ctx context.Context) (func(), error) {
			lock, err := m.locks().Images(ctx)
			if err != nil {
				return nil, err
			}
			return lock.Release, nil
		},
	})
}

// images returns the images of the sandboxes of this host.
func (m *Manager) images() *sandboximage.Images {
	return &sandboximage.Images{
		Root: places.Root(m.Host.Root), Configs: m.Store, Claims: m.claims(), Systemd: m.systemd, IsLabelled: m.Host.SELinux,
		LockName: m.lockName, Warn: m.Warn,
	}
}

// labelForStart gives a sandbox of mode dynamic the level of this start, and its images that label.
func (m *Manager) labelForStart(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	if s.Security.Mode != config.SecurityDynamic {
		return new(lockfile.Lock), nil
	}
	level, err := m.alloc().ChooseLevel(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := m.images().AttachAll(ctx, s); err != nil {
		level.Release()
		return nil, err
	}
	return level, nil
}
