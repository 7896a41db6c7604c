// SPDX-License-Identifier: Apache-2.0

package sandboximage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// ClaimNew makes sure that a new sandbox's image is nobody's, and that the machine can make it.
func (i *Images) ClaimNew(s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	if err := image.CheckMake(s.ImageFormat, s.ImageFS); err != nil {
		return err
	}
	if _, err := os.Lstat(s.Image); err == nil {
		return fmt.Errorf("%s exists already; move it away or choose another name", s.Image)
	}
	if _, err := os.Lstat(image.Temporary(s.Image)); err == nil {
		i.Warn("removing what an interrupted create left at %s", image.Temporary(s.Image))
	}
	return image.RemoveUnsettled(s.Image)
}

// MakeNew makes the image of a new sandbox under its temporary name, and mounts it, so that its content can be made.
// It is noted before it is made, so that whoever comes after an interruption finds it.
func (i *Images) MakeNew(ctx context.Context, s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	own, err := claims.OfContent(s, image.Temporary(s.Image), i.context(s))
	if err != nil {
		return err
	}
	if err := i.Claims.Note(ctx, s.Name, own); err != nil {
		return err
	}
	if err := i.create(ctx, s); err != nil {
		return err
	}
	if err := i.attachOwn(ctx, s, image.Temporary(s.Image)); err != nil {
		return err
	}
	return adoptFileSystem(s)
}

// FinishNew writes the image of a new sandbox out, unmounts it and gives it its name.
func (i *Images) FinishNew(s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	if err := i.Claims.Detach(s.Name); err != nil {
		return err
	}
	return image.Settle(s.Image)
}

// create makes the image of a sandbox, under its temporary name.
func (i *Images) create(ctx context.Context, s *config.Sandbox) error {
	if err := os.MkdirAll(filepath.Dir(s.Image), 0o711); err != nil {
		return fmt.Errorf("make directory of image: %w", err)
	}
	t := cmp.Or(s.ImageFS, config.DefaultImageFS)
	return image.Make(image.Temporary(s.Image), s.ImageFormat, t, s.ImageSize, i.runner(ctx, s))
}

// ready makes sure that the image of a sandbox is there: one that create was killed over in its last moment gets its
// name, and that of a config without content, which somebody wrote, is made.
func (i *Images) ready(ctx context.Context, s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	if !s.Created.IsZero() {
		if err := image.Settle(s.Image); err != nil {
			return err
		}
	}
	_, err := os.Stat(s.Image)
	switch {
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	case !s.Created.IsZero():
		return fmt.Errorf("the image of %s at %s is gone; is its file system mounted? To have it made anew, as for a config "+
			"that comes from another host, remove created= from %s",
			s.Name, s.Image, i.Configs.States.With(i.Configs.Path(s.Name), s.Name))
	case s.ImageSize == 0:
		return fmt.Errorf("%s: image %s does not exist; give image-size= to have it made", i.Configs.Path(s.Name), s.Image)
	}
	if err := image.CheckMake(s.ImageFormat, cmp.Or(s.ImageFS, config.DefaultImageFS)); err != nil {
		return err
	}
	if err := image.Remove(image.Temporary(s.Image)); err != nil {
		return err
	}
	if err := i.create(ctx, s); err != nil {
		return err
	}
	return image.Settle(s.Image)
}

// Remove removes the image of a sandbox: under its temporary name as long as it has that.
func Remove(file string) error {
	if _, err := os.Lstat(image.Temporary(file)); err == nil {
		return image.RemoveUnsettled(file)
	}
	return image.Remove(file)
}
