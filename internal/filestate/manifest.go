// SPDX-License-Identifier: Apache-2.0

// Package filestate has the manifest of a sandbox's content, and compares what it says with what lies in the content
// and on the host. In: a content directory, entries, files of packages; out: versions of files, each put in its place
// in one step. What makes, checks, upgrades and packs content calls it.
package filestate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// Entry is one path of the manifest, a file of one JSON object per line at .virt-sandbox/manifest of the tree.
type Entry struct {
	Path   string `json:"path"`             // inside the container
	Type   string `json:"type"`             // directory, file or symlink
	Digest string `json:"digest,omitempty"` // "sha256:hexadecimal" of a file as it was put in place
	Origin string `json:"origin"`           // as in the config, or "sandbox" for what every container gets
	Target string `json:"target,omitempty"` // of a symbolic link, as it was put in place
	Size   int64  `json:"size,omitempty"`   // of a file, as it was put in place
	Mode   string `json:"mode,omitempty"`   // octal, as it was put in place
	Owner  string `json:"owner,omitempty"`  // UID:GID, as it was put in place

	// Of what a package owned when it was put in place:
	Package string `json:"package,omitempty"`
	Shipped string `json:"shipped,omitempty"` // digest or link target in the newest version seen, as the package says it
	Edited  bool   `json:"edited,omitempty"`  // it was not as shipped: an administrator's
}

// SetAttributes notes mode and owner.
func (e *Entry) SetAttributes(mode, uid, gid uint32) {
	e.Mode, e.Owner = fmt.Sprintf("%04o", mode&0o7777), fmt.Sprintf("%d:%d", uid, gid)
}

// Names in the part of the tree that no container sees.
const (
	// OwnDir is that part.
	OwnDir       = ".virt-sandbox"
	ManifestName = OwnDir + "/manifest"
	CreatingName = OwnDir + "/creating"
	AddingName   = OwnDir + "/adding"
	// EtcWork is what the kernel works with where a container's /etc is laid over the host's.
	EtcWork = OwnDir + "/etc-work"
	// ConsoleLog takes the console where no journal does.
	ConsoleLog = OwnDir + "/console.log"
)

// ReadManifest reads what Prepare recorded at dir. Errors: fs.ErrNotExist where the content was never completed.
func ReadManifest(dir string) ([]Entry, error) {
	data, err := filetree.ReadSmallIn(dir, ManifestName, MaxManifest)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	entries, err := ReadEntries(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read manifest %s/%s: %w", dir, ManifestName, err)
	}
	return entries, nil
}

// MaxManifest bounds a manifest, in bytes: an image or an archive may be anybody's. It is enough for a million paths.
const MaxManifest = 256 << 20

// ReadEntries reads the entries of a manifest.
func ReadEntries(manifest io.Reader) ([]Entry, error) {
	var entries []Entry
	decoder := json.NewDecoder(bufio.NewReader(manifest))
	for decoder.More() {
		var e Entry
		if err := decoder.Decode(&e); err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// HasManifest reports whether a content was completed once.
func HasManifest(tree *os.Root) bool {
	_, err := tree.Lstat(ManifestName)
	return err == nil
}

// StartManifest makes a directory a content of ours in which nothing comes from the host, if it is none yet.
func StartManifest(tree *os.Root) error {
	if err := tree.Mkdir(OwnDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return WriteManifest(tree, nil)
}

// WriteManifest adds entries to those of an earlier run and makes the manifest appear in one step. Of two for one path
// the later counts; one without a type takes the path out of it.
func WriteManifest(tree *os.Root, added []Entry) error {
	const temporary = ManifestName + ".new"
	old, err := ReadManifest(tree.Name())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := tree.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	encoder := json.NewEncoder(w)
	entries, last := append(old, added...), make(map[string]int)
	for i, e := range entries {
		last[e.Path] = i
	}
	for i, e := range entries {
		if last[e.Path] != i || e.Type == "" {
			continue
		}
		if err := encoder.Encode(e); err != nil {
			return fmt.Errorf("write manifest: %w", err)
		}
	}
	if err := errors.Join(w.Flush(), f.Close(), tree.Rename(temporary, ManifestName)); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}
