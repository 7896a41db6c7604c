// SPDX-License-Identifier: Apache-2.0

package content

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// builder makes what every container gets, whatever it runs.
type builder struct {
	host     Host
	sandbox  *config.Sandbox
	tree     *os.Root
	complete bool // whether an earlier run finished; then only what is missing altogether is made
	entries  []filestate.Entry
	put      func() (filestate.Put, error)
	renewal  *renewal // of what an earlier run made; nil to leave that alone
	parents  map[string]*os.Root

	units  func() (unitfile.Set, error) // of the sandbox, read once
	absent error                        // of the first that the host does not have
}

func newBuilder(h Host, s *config.Sandbox, tree *os.Root) *builder {
	b := builder{host: h, sandbox: s, tree: tree}
	b.units = sync.OnceValues(func() (unitfile.Set, error) {
		return unitfile.Root(h.Root).FindAll(s.Units, s.Name, func(err error) error {
			if b.absent == nil {
				b.absent = err
			}
			return nil
		})
	})
	return &b
}

// parent opens the directory of a path of the tree, once for all that lies in it.
func (b *builder) parent(name string) (dir *os.Root, base string, err error) {
	at := path.Dir(name)
	if at == "." {
		return b.tree, name, nil
	}
	if b.parents[at] == nil {
		if dir, err = b.tree.OpenRoot(at); err != nil {
			return nil, "", err
		}
		if b.parents == nil {
			b.parents = make(map[string]*os.Root)
		}
		b.parents[at] = dir
	}
	return b.parents[at], path.Base(name), nil
}

// close lets go of directories.
func (b *builder) close() {
	for _, dir := range b.parents {
		dir.Close()
	}
}

// dirSpec is a directory of the skeleton.
type dirSpec struct {
	path  string
	mode  uint32
	group string // root where empty
}

// skeletonDirs is the tree that systemd and daemons expect to find (file-hierarchy(7)); what packages add to it comes
// from the host's tmpfiles.d, which the container's systemd applies.
func skeletonDirs() []dirSpec {
	return []dirSpec{
		{"etc", 0o755, ""}, {"etc/systemd", 0o755, ""}, {"etc/systemd/system", 0o755, ""},
		{"etc/systemd/system/multi-user.target.wants", 0o755, ""},
		{"home", 0o755, ""}, {"root", 0o700, ""}, {"srv", 0o755, ""},
		{"var", 0o755, ""}, {"var/cache", 0o755, ""}, {"var/lib", 0o755, ""}, {"var/lib/dbus", 0o755, ""},
		{"var/lib/systemd", 0o755, ""}, {"var/local", 0o755, ""}, {"var/log", 0o755, ""},
		{"var/log/journal", 0o2755, "systemd-journal"}, {"var/mail", 0o2775, "mail"}, {"var/opt", 0o755, ""},
		{"var/spool", 0o755, ""}, {"var/tmp", 0o1777, ""},
	}
}

func (b *builder) skeleton() error {
	for _, d := range skeletonDirs() {
		if err := b.dir(d); err != nil {
			return err
		}
	}
	if err := b.dir(dirSpec{"var/log/journal/" + b.sandbox.MachineID, 0o2755, "systemd-journal"}); err != nil {
		return err
	}
	for name, target := range map[string]string{"var/run": "../run", "var/lock": "../run/lock"} {
		if err := b.link(name, target); err != nil {
			return err
		}
	}
	if err := b.skeletonFiles(); err != nil {
		return err
	}
	return b.skel()
}

// skeletonFiles makes what is the container's own in any case.
func (b *builder) skeletonFiles() error {
	name := wellformed.Hostname(b.sandbox.Name)
	for file, text := range map[string]string{
		"etc/hostname":   name + "\n",
		"etc/machine-id": b.sandbox.MachineID + "\n",
		"etc/fstab":      "",
		"etc/hosts":      "127.0.0.1 localhost " + name + "\n::1 localhost ip6-localhost ip6-loopback " + name + "\n",
	} {
		if err := b.file(file, text, 0o644); err != nil {
			return err
		}
	}
	return b.accounts()
}

// skel gives root the files that a new user gets, once.
func (b *builder) skel() error {
	if b.complete {
		return nil
	}
	entries, err := os.ReadDir(b.host.Root + "/etc/skel")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(b.host.Root+"/etc/skel", e.Name()))
		if err != nil {
			return err
		}
		if err := b.file("root/"+e.Name(), string(data), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) dir(d dirSpec) error {
	if b.renewal != nil {
		return nil
	}
	parent, base, err := b.parent(d.path)
	if err != nil {
		return err
	}
	if b.complete && exists(parent, base) && !b.wasDeleted(parent, base) {
		return nil
	}
	if err := parent.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := parent.OpenFile(base, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if d.group != "" {
		if gid, found := account.GroupID(b.host.Root, d.group); found {
			if err := f.Chown(-1, gid); err != nil {
				return err
			}
		}
	}
	if err := unix.Fchmod(int(f.Fd()), d.mode); err != nil {
		return &os.PathError{Op: "chmod", Path: f.Name(), Err: err}
	}
	b.record(d.path, "directory")
	return nil
}

// wasDeleted reports whether root inside has deleted a directory of its /etc, without which nothing starts, and takes
// the mark of that away.
func (b *builder) wasDeleted(parent *os.Root, base string) bool {
	info, err := parent.Lstat(base)
	return err == nil && filetree.IsMark(info) && parent.Remove(base) == nil
}

func (b *builder) link(name, target string) error {
	if b.renewal != nil {
		return nil
	}
	parent, base, err := b.parent(name)
	if err != nil {
		return err
	}
	err = parent.Symlink(target, base)
	if errors.Is(err, fs.ErrExist) {
		old, linkErr := parent.Readlink(base)
		if linkErr != nil || b.complete {
			return nil
		}
		if err = nil; old != target {
			err = errors.Join(parent.Remove(base), parent.Symlink(target, base))
		}
	}
	if err != nil {
		return err
	}
	b.record(name, "symlink")
	return nil
}

// file writes a small file that no run has finished yet. A file of a killed run is written again.
func (b *builder) file(name, text string, mode uint32) error {
	parent, base, err := b.parent(name)
	if err == nil && b.complete && exists(parent, base) {
		return b.renewal.file(name, text)
	}
	if b.renewal != nil {
		// The next Prepare makes what is missing.
		return nil
	}
	if err != nil {
		return err
	}
	f, err := b.create(parent, base)
	if b.complete && errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.WriteString(f, text); err != nil {
		return err
	}
	if err := unix.Fchmod(int(f.Fd()), mode); err != nil {
		return &os.PathError{Op: "chmod", Path: f.Name(), Err: err}
	}
	b.record(name, "file")
	b.entries[len(b.entries)-1].Digest, b.entries[len(b.entries)-1].Size = digestOfText(text), int64(len(text))
	return f.Close()
}

// hostFile writes a file of the host's. One that was removed inside stays so: what the host has by now is not for the
// container.
func (b *builder) hostFile(name, text string) error {
	if gone, err := b.isGone(name); gone || err != nil {
		return err
	}
	return b.file(name, text, 0o644)
}

// isGone reports whether something was put at a path once and has been removed inside.
func (b *builder) isGone(name string) (bool, error) {
	if !b.complete {
		return false, nil
	}
	if parent, base, err := b.parent(name); err == nil && exists(parent, base) {
		return false, nil
	}
	put, err := b.put()
	return put["/"+name], err
}

// create opens a file to write it anew. In content that was complete once, root of a container has been, and nothing
// that lies there is opened: a named pipe would make whoever does wait for its reader.
func (b *builder) create(dir *os.Root, name string) (*os.File, error) {
	const flags = os.O_CREATE | os.O_WRONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	if b.complete {
		return dir.OpenFile(name, flags|os.O_EXCL, 0o600)
	}
	f, err := dir.OpenFile(name, flags|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: f.Name(), Err: filetree.ErrNotSmall}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (b *builder) record(name, kind string) {
	b.entries = append(b.entries, filestate.Entry{Path: path.Join("/", name), Type: kind, Origin: "sandbox"})
}
