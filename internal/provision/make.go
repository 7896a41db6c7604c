// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
)

// provisionSpec is how a new sandbox comes into being.
type provisionSpec struct {
	options              describe.Options // those of its label
	fill                 func() error     // makes the content
	save                 func() error     // writes state and config; nil: as a config of its own
	like                 string           // text of a config whose comments are kept; empty for none
	given                config.Given     // what was asked for of that which is allocated else
	reallocateOnConflict bool             // whether its level gives way where it is another's too
}

// provision gives a sandbox its level and ids, content, unit file and config. When it fails, nothing stays behind;
// when it is killed, the content is marked as that of a sandbox which is being created.
func (p *Provisioner) provision(ctx context.Context, s *config.Sandbox, how provisionSpec) error {
	if err := p.checkHostUnit(ctx, s); err != nil {
		return err
	}
	// What one that was killed has mounted.
	if err := p.Claims.Detach(s.Name); err != nil {
		return err
	}
	reserve := func() (*lockfile.Lock, error) { return p.Levels.ReserveLevel(ctx, s, how.options.RefuseShared) }
	if how.reallocateOnConflict {
		reserve = func() (*lockfile.Lock, error) { return p.Levels.ReserveFreeLevel(ctx, s) }
	}
	reservation, err := reserve()
	if err != nil {
		return err
	}
	defer reservation.Release()
	ids, err := p.Levels.ReserveIDs(ctx, s)
	if err != nil {
		return err
	}
	defer ids.Release()
	if err := p.checkLabels(s, how.options); err != nil {
		return err
	}
	if err := p.Images.ClaimNew(s); err != nil {
		return err
	}
	made, err := p.claimContent(s)
	if err != nil {
		return err
	}
	if err := p.fillAndSave(ctx, s, how); err != nil {
		cleanErr := errors.Join(p.Configs.Remove(s.Name), p.Stubs.Remove(s.Name), p.Claims.Detach(s.Name),
			p.Host.Remove(s.Content), image.RemoveUnsettled(s.Image), removeMade(filepath.Dir(s.Content), made))
		if cleanErr != nil {
			return fmt.Errorf("%w (and cleaning up failed: %w)", err, cleanErr)
		}
		return err
	}
	p.Noted.Do(func() {
		if err := p.noteConfinement(s); err != nil {
			p.Warn("cannot tell what confines %s: %v", s.Name, err)
		}
	})
	if err := p.Systemd.Reload(ctx); err != nil {
		p.Warn("%s is made, but its unit is not loaded yet; run systemctl daemon-reload: %v", s.Name, err)
	}
	return nil
}

// checkHostUnit refuses the name of a unit that runs on the host itself: as soon as the sandbox's unit were loaded in
// its place, a stop of the sandbox would stop that.
func (p *Provisioner) checkHostUnit(ctx context.Context, s *config.Sandbox) error {
	runs, err := p.Systemd.RunsAnother(ctx, hostsystemd.Unit{Name: s.HostUnit(), Source: p.Configs.SourcePath(s.Name)})
	if err != nil {
		// The name may be free all the same, and nothing is lost on a host whose bus is down.
		p.Warn("cannot tell whether %s runs on this host: %v", s.HostUnit(), err)
	}
	if runs {
		return fmt.Errorf("%s runs on this host, and is no sandbox's; stop it, or choose another name", s.HostUnit())
	}
	return nil
}

func (p *Provisioner) fillAndSave(ctx context.Context, s *config.Sandbox, how provisionSpec) error {
	if err := p.Images.MakeNew(ctx, s); err != nil {
		return err
	}
	if err := p.Host.MarkCreating(s); err != nil {
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
	if err := p.Stubs.Write(s); err != nil {
		return err
	}
	if how.save == nil {
		how.save = func() error { return p.Configs.SaveLike(s, how.like, how.given) }
	}
	if err := how.save(); err != nil {
		return err
	}
	if err := content.UnmarkCreating(s.Content); err != nil {
		return err
	}
	return p.Images.FinishNew(s)
}
