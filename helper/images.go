package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
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

// nbdRunner has qemu-nbd run beside a sandbox's unit.
func (m *Manager) nbdRunner(ctx context.Context, s *config.Sandbox) image.Runner {
	return claims.Runner(ctx, m.systemd, s)
}

// contentClaim is the claim of a sandbox's own image.
func (m *Manager) contentClaim(s *config.Sandbox, file string) (claims.Claim, error) {
	return claims.OfContent(s, file, m.imageContext(s))
}

// imageContext is the label of all that lies in the images of a sandbox. One of mode dynamic has it as long as it is
// up.
func (m *Manager) imageContext(s *config.Sandbox) string {
	if !m.Host.SELinux() {
		return ""
	}
	return s.FileLabel()
}

// attachClaims attaches all that a sandbox claims while it runs.
func (m *Manager) attachClaims(ctx context.Context, s *config.Sandbox) error {
	book := m.claims()
	all, err := book.Of(s, m.imageContext(s))
	if err != nil {
		return err
	}
	return book.Attach(ctx, s.Name, all, m.nbdRunner(ctx, s))
}

// attachContent attaches a sandbox's own image, which has the name file until it gets its own.
func (m *Manager) attachContent(ctx context.Context, s *config.Sandbox, file string) error {
	own, err := m.contentClaim(s, file)
	if err != nil {
		return err
	}
	return m.claims().Attach(ctx, s.Name, []claims.Claim{own}, m.nbdRunner(ctx, s))
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
	if err := m.attachClaims(ctx, s); err != nil {
		level.Release()
		return nil, err
	}
	return level, nil
}
