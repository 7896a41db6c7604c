// SPDX-License-Identifier: Apache-2.0

package claims

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Options are what a Book is built from.
type Options struct {
	// Root is the directory below which the host's files lie; "" for the host's own.
	Root string
	// Lock waits until nobody else works on the notes, on this host.
	Lock func(context.Context) (release func(), err error)
	// InHostMounts calls a function in the mount namespace of the host.
	InHostMounts func(func() error) error
	// UnlinkJournals takes the journal of a content directory from the host's, which would keep it from being unmounted.
	UnlinkJournals func(content string) error
	// Warn takes one line that a person should read though nothing failed; nil for nobody.
	Warn func(format string, args ...any)
}

// Book has the notes of which images all sandboxes use. Its methods may be called from several goroutines, and by
// several processes, for different sandboxes at a time.
type Book struct {
	root           places.Root
	lock           func(context.Context) (release func(), err error)
	inHostMounts   func(func() error) error
	unlinkJournals func(content string) error
	warn           func(format string, args ...any)
	kernel         kernel
}

// kernel is what attaches files to mounts and block devices. Tests have another.
type kernel interface {
	// Mount mounts an image, unless it is mounted there already.
	Mount(m image.Mount, run image.Runner) error
	// Unmount unmounts an image where it is mounted. busy is whether something still has files of it open.
	Unmount(m image.Mount) (busy bool, err error)
	// Connect gives a file a block device, unless it has one.
	Connect(file string, format config.ImageFormat, run image.Runner) error
	// Disconnect takes a block device from a file, if it has one.
	Disconnect(file string, format config.ImageFormat) error
	// User says who uses a file, other than by a mount at one of the places; "" for nobody.
	User(file string, mounts ...string) (string, error)
}

// New returns the Book of a host.
func New(o Options) *Book {
	b := &Book{
		root: places.Root(o.Root), lock: o.Lock, inHostMounts: o.InHostMounts, unlinkJournals: o.UnlinkJournals, warn: o.Warn,
		kernel: hostKernel{},
	}
	if b.warn == nil {
		b.warn = func(string, ...any) {}
	}
	return b
}

// Attach claims images for a sandbox and mounts those that are to be mounted. What it has already stays as it is,
// unless it is to have another context. run runs what serves a block device. What Attach began, Detach ends, also
// after an error.
func (b *Book) Attach(ctx context.Context, name string, claims []Claim, run image.Runner) error {
	if len(claims) == 0 {
		return nil
	}
	if err := b.claim(ctx, name, claims); err != nil {
		return err
	}
	for _, c := range claims {
		var err error
		switch {
		case c.Target != "":
			err = b.inHostMounts(func() error { return b.kernel.Mount(c.mount(), run) })
		case c.Format == config.FormatQCOW2:
			err = b.kernel.Connect(c.File, c.Format, run)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// claim notes what a sandbox uses, after it has made sure that nobody else does.
func (b *Book) claim(ctx context.Context, name string, claims []Claim) error {
	release, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	noted, err := b.Read(name)
	if err != nil {
		return err
	}
	for _, c := range claims {
		has := slices.IndexFunc(noted, func(n Claim) bool { return n.File == c.File && n.Target == c.Target })
		if has >= 0 && noted[has].Context == c.Context {
			continue
		}
		if has >= 0 {
			if err := b.unmount(name, noted[has]); err != nil {
				return err
			}
			noted = slices.Delete(noted, has, has+1)
		}
		if err := b.checkLocked(name, c, append(noted, claims...)); err != nil {
			return err
		}
		noted = append(noted, c)
	}
	return b.write(name, noted)
}

// checkLocked refuses a file that another uses. ours are the claims of the same sandbox.
// Preconditions: the caller holds the lock on the notes.
func (b *Book) checkLocked(name string, c Claim, ours []Claim) error {
	info, err := os.Stat(c.File)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", c.Use, name, err)
	}
	for _, o := range ours {
		if other, err := os.Stat(o.File); o.Use != c.Use && err == nil && haveSameBlocks(info, other) {
			return fmt.Errorf("%s of %s: %s is %s too; two of them would destroy each other's data", c.Use, name, c.File, o.Use)
		}
	}
	err = b.eachOther(name, func(other string, theirs []Claim) error {
		for _, t := range theirs {
			if used, err := os.Stat(t.File); t.File == c.File || (err == nil && haveSameBlocks(info, used)) {
				return fmt.Errorf("%s of %s: %s is in use by %s, as %s; stop that first", c.Use, name, c.File, other, t.Use)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var user string
	err = b.inHostMounts(func() (err error) {
		user, err = b.kernel.User(c.File, c.Target)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s of %s: %w", c.Use, name, err)
	}
	if user != "" {
		return fmt.Errorf("%s of %s: %s is in use by %s", c.Use, name, c.File, user)
	}
	return nil
}

// haveSameBlocks reports whether two names are of one file, or two nodes of one block device.
func haveSameBlocks(a, b fs.FileInfo) bool {
	if a.Mode().Type() == os.ModeDevice && b.Mode().Type() == os.ModeDevice {
		return a.Sys().(*syscall.Stat_t).Rdev == b.Sys().(*syscall.Stat_t).Rdev
	}
	return os.SameFile(a, b)
}

// Detach takes away what Attach did, or began to do, and forgets it. What the host still has open stays usable for who
// has it.
func (b *Book) Detach(name string) error {
	if _, err := b.DetachOnly(name); err != nil {
		return err
	}
	return b.Forget(name)
}

// DetachOnly is Detach that keeps the note, which it returns. Forget removes that.
func (b *Book) DetachOnly(name string) ([]Claim, error) {
	claims, err := b.Read(name)
	if err != nil {
		return nil, err
	}
	for _, c := range slices.Backward(claims) {
		if err := b.detach(name, c); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

func (b *Book) detach(name string, c Claim) error {
	if c.Target == "" {
		return b.kernel.Disconnect(c.File, c.Format)
	}
	if c.Content != "" {
		if err := b.unlinkJournals(c.Content); err != nil {
			return err
		}
	}
	return b.unmount(name, c)
}

func (b *Book) unmount(name string, c Claim) error {
	busy := false
	err := b.inHostMounts(func() (err error) {
		busy, err = b.kernel.Unmount(c.mount())
		return err
	})
	if err != nil {
		return err
	}
	if busy {
		b.warn("something on the host still has files of %s of %s open; it is unmounted, and gone when they are closed",
			c.Use, name)
	}
	return nil
}

// eachOther calls visit with the claims of each sandbox but one.
func (b *Book) eachOther(name string, visit func(other string, theirs []Claim) error) error {
	names, err := b.root.ImagesNames()
	if err != nil {
		return fmt.Errorf("look for images in use: %w", err)
	}
	for _, other := range names {
		if other == name {
			continue
		}
		theirs, err := b.Read(other)
		if err == nil {
			err = visit(other, theirs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hostKernel is that of this host.
type hostKernel struct{}

func (hostKernel) Mount(m image.Mount, run image.Runner) error { return m.Attach(run) }

func (hostKernel) Unmount(m image.Mount) (busy bool, err error) { return m.Detach() }

func (hostKernel) Connect(file string, format config.ImageFormat, run image.Runner) error {
	device, err := image.NBDOf(file)
	if err == nil && device == "" {
		_, err = image.ConnectNBD(file, format, run)
	}
	return err
}

func (hostKernel) Disconnect(file string, format config.ImageFormat) error {
	if format == config.FormatQCOW2 {
		return image.DisconnectNBD(file)
	}
	return image.FreeLoops(file)
}

func (hostKernel) User(file string, mounts ...string) (string, error) {
	return image.InUse(file, mounts...)
}
