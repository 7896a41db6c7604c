// SPDX-License-Identifier: Apache-2.0

// Package sandboximage makes what a sandbox has in images accessible on the host. In: the description of a sandbox,
// and the notes of which images sandboxes use. Out: content that can be read and written at its place, or an error.
// The verbs that start, stop, copy and check sandboxes call it, with the lock on the sandbox's name unless a method
// says otherwise.
package sandboximage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Images are the images of the sandboxes of a host. Its methods may be called from several goroutines for different
// sandboxes at a time.
type Images struct {
	Root    places.Root
	Configs config.Store
	Claims  *claims.Book
	// Systemd runs qemu-nbd beside the unit of a sandbox.
	Systemd claims.Systemd
	// IsLabelled reports whether the host has SELinux, so that images are mounted with the label of their sandbox.
	IsLabelled func() bool
	// LockName waits until nobody else works on the sandbox of a name.
	LockName func(ctx context.Context, name string) (*lockfile.Lock, error)
	// Warn takes one line that a person should read though nothing failed.
	Warn func(format string, args ...any)
}

// context is the label of all that lies in the images of a sandbox. One of mode dynamic has it as long as it is up.
func (i *Images) context(s *config.Sandbox) string {
	if !i.IsLabelled() {
		return ""
	}
	return s.FileLabel()
}

// runner has qemu-nbd run beside a sandbox's unit.
func (i *Images) runner(ctx context.Context, s *config.Sandbox) image.Runner {
	return claims.Runner(ctx, i.Systemd, s)
}

// AttachAll attaches all that a sandbox claims while it runs. Its own image must be there.
func (i *Images) AttachAll(ctx context.Context, s *config.Sandbox) error {
	all, err := i.Claims.Of(s, i.context(s))
	if err != nil {
		return err
	}
	return i.Claims.Attach(ctx, s.Name, all, i.runner(ctx, s))
}

// attachOwn attaches a sandbox's own image, which has the name file until it gets its own.
func (i *Images) attachOwn(ctx context.Context, s *config.Sandbox, file string) error {
	own, err := claims.OfContent(s, file, i.context(s))
	if err != nil {
		return err
	}
	return i.Claims.Attach(ctx, s.Name, []claims.Claim{own}, i.runner(ctx, s))
}

// AttachForStart attaches all that a sandbox claims while it runs, after it made sure that its own image is there.
func (i *Images) AttachForStart(ctx context.Context, s *config.Sandbox) error {
	if err := i.ready(ctx, s); err != nil {
		return err
	}
	if err := i.AttachAll(ctx, s); err != nil || s.Image == "" {
		return err
	}
	return adoptFileSystem(s)
}

// Open makes the content of a sandbox that is down accessible; it stays so until Close. Without an image, or where
// the file is missing, there is nothing to do.
func (i *Images) Open(ctx context.Context, s *config.Sandbox) error {
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
	return i.attachOwn(ctx, s, s.Image)
}

// Close ends Open. That fails only where something on the host holds on to it, which the next verb meets again.
func (i *Images) Close(name string) {
	if err := i.Claims.Detach(name); err != nil {
		i.Warn("%v", err)
	}
}

// OpenIfDown makes the content of a sandbox that may be up or down accessible until release is called. While one is
// up, its image is mounted already.
func (i *Images) OpenIfDown(ctx context.Context, s *config.Sandbox) (release func(), err error) {
	if s.Image == "" || i.isUp(s.Name) {
		return func() {}, nil
	}
	if err := i.Open(ctx, s); err != nil {
		i.Close(s.Name)
		return nil, err
	}
	return func() { i.Close(s.Name) }, nil
}

// Hold is OpenIfDown for who does not have the lock on the sandbox's name. While one in an image is down, nobody
// starts it until release.
func (i *Images) Hold(ctx context.Context, s *config.Sandbox) (release func(), err error) {
	if s.Image == "" {
		return func() {}, nil
	}
	lock, err := i.LockName(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	if i.isUp(s.Name) {
		// Its image is mounted, and stays so as long as it runs.
		lock.Release()
		return func() {}, nil
	}
	closed, err := i.OpenIfDown(ctx, s)
	if err != nil {
		lock.Release()
		return nil, err
	}
	return func() {
		closed()
		lock.Release()
	}, nil
}

func (i *Images) isUp(name string) bool { return i.Root.Of(name).Run().Phase() != "" }

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
