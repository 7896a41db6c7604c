// SPDX-License-Identifier: Apache-2.0

package configtree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// listing is what lies in the places, and drop-ins of many sandboxes, for who reads all of them at once.
type listing struct {
	has   map[string]map[string]fs.DirEntry // by place
	dirs  map[string][]string               // of drop-ins for many, by their paths
	texts map[string]File                   // of the same; without a path where it is masked
}

// Listed returns the tree as it is now: its directories are listed once for all that is read of it.
func (t Tree) Listed() (Tree, error) {
	t.seen = &listing{make(map[string]map[string]fs.DirEntry), make(map[string][]string), make(map[string]File)}
	for _, place := range t.Places {
		d, err := os.Open(place)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var files []fs.DirEntry
		if err == nil {
			files, err = d.ReadDir(-1)
			d.Close()
		}
		if err != nil {
			return t, fmt.Errorf("list configs: %w", err)
		}
		has := make(map[string]fs.DirEntry, len(files))
		for _, file := range files {
			has[file.Name()] = file
		}
		t.seen.has[place] = has
	}
	return t, nil
}

// has reports whether a place has a file, also where that is a link to nothing.
func (t Tree) has(place, file string) bool {
	if t.seen != nil {
		return t.seen.has[place][file] != nil
	}
	_, err := os.Lstat(filepath.Join(place, file))
	return err == nil
}

// Dirs lists the directories of a place.
// Preconditions: the tree is listed.
func (t Tree) Dirs(place string) []string {
	var dirs []string
	for name, e := range t.seen.has[place] {
		if e.IsDir() {
			dirs = append(dirs, name)
		}
	}
	slices.Sort(dirs)
	return dirs
}

// isShared reports whether a drop-in is one of many sandboxes: one of a single sandbox is read once anyway.
func (l *listing) isShared(file string) bool {
	dir := filepath.Base(filepath.Dir(file))
	of := strings.TrimSuffix(dir, Suffix+".d")
	return dir == forAll || strings.HasSuffix(of, "-") || strings.HasSuffix(of, "@") || strings.Contains(of, "-@")
}
