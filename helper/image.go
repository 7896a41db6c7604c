package helper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
)

// claimImage makes sure that a new sandbox's image is nobody's, and that the machine can make it.
func (m *Manager) claimImage(s *config.Sandbox) error {
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
		m.Warn("removing what an interrupted create left at %s", image.Temporary(s.Image))
	}
	return image.RemoveUnsettled(s.Image)
}

// makeImage makes the image of a sandbox, under its temporary name.
func (m *Manager) makeImage(ctx context.Context, s *config.Sandbox) error {
	if err := os.MkdirAll(filepath.Dir(s.Image), 0o711); err != nil {
		return fmt.Errorf("make directory of image: %w", err)
	}
	t := cmp.Or(s.ImageFS, config.DefaultImageFS)
	return image.Make(image.Temporary(s.Image), s.ImageFormat, t, s.ImageSize, m.nbdRunner(ctx, s))
}

// noteNew notes the image of a new sandbox before it is made, so that whoever comes after an interruption finds it.
func (m *Manager) noteNew(ctx context.Context, s *config.Sandbox) error {
	own, err := m.contentClaim(s, image.Temporary(s.Image))
	if err != nil {
		return err
	}
	return m.claims().Note(ctx, s.Name, own)
}

// mountNew mounts the image that makeImage made, so that its content can be made.
func (m *Manager) mountNew(ctx context.Context, s *config.Sandbox) error {
	if err := m.attachContent(ctx, s, image.Temporary(s.Image)); err != nil {
		return err
	}
	return adoptFileSystem(s)
}

// adoptFileSystem gives the top of a file system in which nothing is yet what a content directory has.
func adoptFileSystem(s *config.Sandbox) error {
	if state, err := content.Inspect(s.Content); err != nil || state != content.Absent {
		return err
	}
	err := errors.Join(os.Chmod(s.Content, 0o700), os.Chown(s.Content, 0, 0))
	if err == nil {
		// fsck makes it again when it needs it.
		if err = os.Remove(filepath.Join(s.Content, "lost+found")); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("set up image %s: %w", s.Image, err)
	}
	return nil
}

// finishImage writes the image of a new sandbox out, unmounts it and gives it its name.
func (m *Manager) finishImage(s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	if err := m.claims().Detach(s.Name); err != nil {
		return err
	}
	return image.Settle(s.Image)
}

// removeImage removes the image of a sandbox: under its temporary name as long as it has that.
func removeImage(file string) error {
	if _, err := os.Lstat(image.Temporary(file)); err == nil {
		return image.RemoveUnsettled(file)
	}
	return image.Remove(file)
}

// readyImage makes sure that the image of a sandbox is there: one that create was killed over in its last moment gets its
// name, and that of a config without content, which somebody wrote, is made.
func (m *Manager) readyImage(ctx context.Context, s *config.Sandbox) error {
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
			"that comes from another host, remove created= from %s", s.Name, s.Image, m.Store.Path(s.Name))
	case s.ImageSize == 0:
		return fmt.Errorf("%s: image %s does not exist; give image-size= to have it made", m.Store.Path(s.Name), s.Image)
	}
	if err := image.CheckMake(s.ImageFormat, cmp.Or(s.ImageFS, config.DefaultImageFS)); err != nil {
		return err
	}
	if err := image.Remove(image.Temporary(s.Image)); err != nil {
		return err
	}
	if err := m.makeImage(ctx, s); err != nil {
		return err
	}
	return image.Settle(s.Image)
}

// attachAll mounts all that a sandbox has in images.
func (m *Manager) attachAll(ctx context.Context, s *config.Sandbox) error {
	if err := m.readyImage(ctx, s); err != nil {
		return err
	}
	if err := m.attachClaims(ctx, s); err != nil || s.Image == "" {
		return err
	}
	return adoptFileSystem(s)
}

// openContent makes the content of a sandbox that is down accessible, for who holds its name's lock; it stays so until
// Detach. Without an image, or where the file is missing, there is nothing to do.
func (m *Manager) openContent(ctx context.Context, s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	if !s.Created.IsZero() {
		if err := image.Settle(s.Image); err != nil {
			return err
		}
	}
	if _, err := os.Stat(s.Image); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return m.attachContent(ctx, s, s.Image)
}

// syncContent tells whether all of the content reached the disk of the host, which may be full while the image is not.
func syncContent(s *config.Sandbox) error {
	if s.Image == "" {
		return nil
	}
	return explainFull(s, image.Sync(s.Content))
}

// explainFull is image.ExplainFull for content, which need not be in an image.
func explainFull(s *config.Sandbox, err error) error {
	if s.Image == "" {
		return err
	}
	return image.ExplainFull(s.Image, s.ImageSize, err)
}

// closeContent ends openContent. That fails only where something on the host holds on to it, which the next verb meets again.
func (m *Manager) closeContent(name string) {
	if err := m.claims().Detach(name); err != nil {
		m.Warn("%v", err)
	}
}

// holdContent makes the content of a sandbox accessible that may be up or down. While one in an image is down, nobody
// starts it until release.
func (m *Manager) holdContent(ctx context.Context, s *config.Sandbox) (release func(), err error) {
	if s.Image == "" {
		return func() {}, nil
	}
	lock, err := m.lockName(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	if m.run(s.Name).Phase() != "" {
		// Its image is mounted, and stays so as long as it runs.
		lock.Release()
		return func() {}, nil
	}
	closed, err := m.openIfDown(ctx, s)
	if err != nil {
		lock.Release()
		return nil, err
	}
	return func() {
		closed()
		lock.Release()
	}, nil
}

// openIfDown is holdContent for who holds the lock of the sandbox's name already.
func (m *Manager) openIfDown(ctx context.Context, s *config.Sandbox) (closed func(), err error) {
	if s.Image == "" || m.run(s.Name).Phase() != "" {
		return func() {}, nil
	}
	if err := m.openContent(ctx, s); err != nil {
		m.closeContent(s.Name)
		return nil, err
	}
	return func() { m.closeContent(s.Name) }, nil
}
