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
	if err := m.detachImages(s.Name); err != nil {
		return err
	}
	reserve := func() (*lockfile.Lock, error) { return m.reserveLevel(ctx, s, how.options.refuseShared) }
	if how.yields {
		reserve = func() (*lockfile.Lock, error) { return m.reserveFreeLevel(ctx, s) }
	}
	reservation, err := reserve()
	if err != nil {
		return err
	}
	defer reservation.Release()
	ids, err := m.reserveIDs(ctx, s)
	if err != nil {
		return err
	}
	defer ids.Release()
	if err := m.checkLabels(s, how.options); err != nil {
		return err
	}
	if err := m.claimImage(s); err != nil {
		return err
	}
	made, err := m.claimContent(s)
	if err != nil {
		return err
	}
	if err := m.fillAndSave(ctx, s, how); err != nil {
		cleanErr := errors.Join(m.Store.Remove(s.Name), m.removeUnitFiles(s.Name), m.detachImages(s.Name), m.Host.Remove(s.Content),
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

// reserveFreeLevel is reserveLevel for a sandbox whose level comes from elsewhere: where it is not kept apart from another's, a
// free one takes its place.
func (m *Manager) reserveFreeLevel(ctx context.Context, s *config.Sandbox) (*lockfile.Lock, error) {
	errShared := errors.New("the level is another's too")
	var other levelUse
	reservation, err := m.reserveLevel(ctx, s, func(use levelUse) error {
		other = use
		return errShared
	})
	if !errors.Is(err, errShared) {
		return reservation, err
	}
	was := s.Security.Level
	clearLevel(s)
	if reservation, err = m.reserveLevel(ctx, s, nil); err != nil {
		return nil, err
	}
	m.Warn("level %s is not kept apart from %s, which %s has; %s gets %s in its place", was, other.level, other.by, s.Name, s.Security.Level)
	return reservation, nil
}

func (m *Manager) fillAndSave(ctx context.Context, s *config.Sandbox, how making) error {
	if s.Image != "" {
		if err := m.noteNew(ctx, s); err != nil {
			return err
		}
		if err := m.makeImage(ctx, s); err != nil {
			return err
		}
		if err := m.mountNew(ctx, s); err != nil {
			return err
		}
	}
	if err := m.Host.MarkCreating(s); err != nil {
		return explainFull(s, err)
	}
	if err := how.fill(); err != nil {
		return explainFull(s, err)
	}
	if err := syncContent(s); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := m.writeUnitFile(s); err != nil {
		return err
	}
	if err := m.Store.SaveLike(s, how.like); err != nil {
		return err
	}
	if err := content.UnmarkCreating(s.Content); err != nil {
		return err
	}
	return m.finishImage(s)
}
