package helper

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
)

// making is how a new sandbox comes into being.
type making struct {
	options CreateOptions // those of its label
	fill    func() error  // makes the content
	like    string        // text of a config whose comments are kept; empty for none
	yields  bool          // whether its level gives way where it is another's too
}

// bring gives a sandbox its level and ids, content, unit file and config. When it fails, nothing stays behind; when it is
// killed, the content is marked as that of a sandbox which is being created.
func (m *Manager) bring(ctx context.Context, s *config.Sandbox, how making) error {
	// What one that was killed has mounted.
	if err := m.claims().Detach(s.Name); err != nil {
		return err
	}
	reserve := func() (*lockfile.Lock, error) { return m.alloc().ReserveLevel(ctx, s, how.options.RefuseShared) }
	if how.yields {
		reserve = func() (*lockfile.Lock, error) { return m.alloc().ReserveFreeLevel(ctx, s) }
	}
	reservation, err := reserve()
	if err != nil {
		return err
	}
	defer reservation.Release()
	ids, err := m.alloc().ReserveIDs(ctx, s)
	if err != nil {
		return err
	}
	defer ids.Release()
	if err := m.checkLabels(s, how.options); err != nil {
		return err
	}
	if err := m.images().ClaimNew(s); err != nil {
		return err
	}
	made, err := m.claimContent(s)
	if err != nil {
		return err
	}
	if err := m.fillAndSave(ctx, s, how); err != nil {
		cleanErr := errors.Join(m.Store.Remove(s.Name), m.stubs().Remove(s.Name), m.claims().Detach(s.Name), m.Host.Remove(s.Content),
			image.RemoveUnsettled(s.Image), removeMade(filepath.Dir(s.Content), made))
		if cleanErr != nil {
			return fmt.Errorf("%w (and cleaning up failed: %w)", err, cleanErr)
		}
		return err
	}
	m.noted.Do(func() {
		if err := m.noteConfinement(s); err != nil {
			m.Warn("cannot tell what confines %s: %v", s.Name, err)
		}
	})
	if err := m.ReloadHost(ctx); err != nil {
		m.Warn("%s is made, but its unit is not loaded yet; run systemctl daemon-reload: %v", s.Name, err)
	}
	return nil
}

func (m *Manager) fillAndSave(ctx context.Context, s *config.Sandbox, how making) error {
	if err := m.images().MakeNew(ctx, s); err != nil {
		return err
	}
	if err := m.Host.MarkCreating(s); err != nil {
		return sandboximage.ExplainFull(s, err)
	}
	if err := how.fill(); err != nil {
		return sandboximage.ExplainFull(s, err)
	}
	if err := sandboximage.Sync(s); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := m.stubs().Write(s); err != nil {
		return err
	}
	if err := m.Store.SaveLike(s, how.like); err != nil {
		return err
	}
	if err := content.UnmarkCreating(s.Content); err != nil {
		return err
	}
	return m.images().FinishNew(s)
}
