// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/sandboximage"
)

// Prepare makes or completes the content of a sandbox that is about to start, with its images attached. A config that
// somebody wrote or copied becomes what create would have made.
// Preconditions: the caller holds the lock on the sandbox's name.
func (p *Provisioner) Prepare(ctx context.Context, s *config.Sandbox) error {
	if err := CheckMode(p.Configs, s); err != nil {
		return err
	}
	if s.State == config.StateDeleting {
		return fmt.Errorf("%s is being deleted; run delete again to finish that", s.Name)
	}
	if err := p.Images.AttachForStart(ctx, s); err != nil {
		return err
	}
	state, err := p.Reconcile(ctx, s)
	if err != nil {
		return err
	}
	if state == content.Absent && !s.Created.IsZero() {
		return fmt.Errorf("the content of %s at %s is gone; is its file system mounted? To have it made anew, as for a "+
			"config that comes from another host, remove created= from %s", s.Name, s.Content,
			p.Configs.States.With(p.Configs.Path(s.Name), s.Name))
	}
	if err := p.Host.Prepare(ctx, s, p.Progress); err != nil {
		return sandboximage.ExplainFull(s, err)
	}
	if s.Created.IsZero() {
		if err := sandboximage.Sync(s); err != nil {
			return err
		}
		s.Created = time.Now().UTC().Truncate(time.Second)
		if err := p.Configs.Keep(s); err != nil {
			return err
		}
	}
	// The config tells of it: a create that was killed in its last moment is complete.
	return content.UnmarkCreating(s.Content)
}
