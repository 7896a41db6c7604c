// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
)

// AdoptContent makes content of ours of what the original libvirt-sandbox filled. With an empty manifest all that is
// there is the administrator's, until an upgrade finds that it is as a package has it. tree is the path at which the
// command of a generic container saw its whole content, which moves to where it sees it again; empty for others. It can
// be killed at any point and run again; FinishContent ends it.
func AdoptContent(h content.Host, s *config.Sandbox, tree string) error {
	err := moveTree(h, s, tree)
	if err == nil {
		err = h.WithLabel(s, func() error { return adopt(s) })
	}
	if err != nil {
		return fmt.Errorf("take over content of %s: %w", s.Name, err)
	}
	return nil
}

// moving returns where the content of a generic container is put together, and the file that marks that as done. Root
// in the container could reach neither; what lies in its tree proves nothing.
func moving(s *config.Sandbox) (made, done string) {
	base := filepath.Join(filepath.Dir(s.Content), "."+s.Name)
	return base + ".upgrade", base + ".upgraded"
}

// moveTree makes the content of a generic container a part of the content that takes its place.
func moveTree(h content.Host, s *config.Sandbox, tree string) error {
	if tree == "" {
		return nil
	}
	made, done := moving(s)
	if s.Image != "" {
		return h.WithLabel(s, func() error { return moveInImage(s, tree, done) })
	}
	_, madeErr := os.Lstat(made)
	if _, err := os.Lstat(done); err == nil && errors.Is(madeErr, fs.ErrNotExist) {
		return nil
	}
	place := filepath.Join(made, tree)
	if _, err := os.Lstat(s.Content); err != nil {
		if _, moved := os.Lstat(place); moved != nil {
			return err
		}
	}
	return h.WithLabel(s, func() error {
		base, err := os.OpenRoot(filepath.Dir(s.Content))
		if err != nil {
			return err
		}
		defer base.Close()
		if err := makeWay(base, filepath.Base(made)+filepath.Dir(tree)); err != nil {
			return err
		}
		if err := os.Mkdir(filepath.Join(made, filestate.OwnDir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if _, err := os.Lstat(place); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(s.Content, place); err != nil {
				return err
			}
		}
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			return err
		}
		return os.Rename(made, s.Content)
	})
}

// inImageDir is where the content of an image moves to before it has its place.
const inImageDir = filestate.OwnDir + ".upgrade"

// moveInImage is moveTree for the content of an image, whose top stays where it is mounted: all of it moves down, and
// when that has been done, the new top moves up.
func moveInImage(s *config.Sandbox, tree, done string) error {
	top, err := os.OpenRoot(s.Content)
	if err != nil {
		return err
	}
	defer top.Close()
	if _, err := os.Lstat(done); errors.Is(err, fs.ErrNotExist) {
		if err := makeWay(top, inImageDir+tree); err != nil {
			return err
		}
		if err := moveAll(top, ".", inImageDir+tree); err != nil {
			return err
		}
		// The mark lies on another file system than what it tells of.
		if err := syncFileSystem(top); err != nil {
			return err
		}
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			return err
		}
	}
	if _, err := top.Lstat(inImageDir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := moveAll(top, inImageDir, "."); err != nil {
		return err
	}
	return top.Remove(inImageDir)
}

// moveAll moves what is in one directory to another.
func moveAll(top *os.Root, from, to string) error {
	entries, err := fs.ReadDir(top.FS(), from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// fsck looks for its directory at the top.
		if e.Name() == inImageDir || e.Name() == "lost+found" {
			continue
		}
		if err := top.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func syncFileSystem(top *os.Root) error {
	dir, err := top.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

// makeWay makes each directory of a path, for everybody to pass whatever the umask.
func makeWay(base *os.Root, below string) error {
	way := ""
	for name := range strings.SplitSeq(below, "/") {
		way = filepath.Join(way, name)
		if err := base.Mkdir(way, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := base.Chmod(way, 0o755); err != nil {
			return err
		}
	}
	return nil
}

// FinishContent ends what AdoptContent began. Preconditions: the config that goes with the content is saved.
func FinishContent(s *config.Sandbox) error {
	_, done := moving(s)
	if err := os.Remove(done); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("finish content of %s: %w", s.Name, err)
	}
	return nil
}

// adopt is AdoptContent below the content directory.
func adopt(s *config.Sandbox) error {
	tree, err := os.OpenRoot(s.Content)
	if err != nil {
		return err
	}
	defer tree.Close()
	if filestate.HasManifest(tree) {
		return nil
	}
	// The original's has nothing but a description. Prepare makes one that boots what a container needs.
	const target = "etc/systemd/system/" + config.DefaultBootTarget
	if info, err := tree.Lstat(target); err == nil && info.Mode().IsRegular() {
		if _, err := tree.Lstat(target + BackupSuffix); err != nil {
			if err := tree.Rename(target, target+BackupSuffix); err != nil {
				return err
			}
		}
	}
	return filestate.StartManifest(tree)
}
