// SPDX-License-Identifier: Apache-2.0

// Package configtree finds the files that say what a sandbox shall be, as systemd finds those of a unit
// (systemd.unit(5)): its config or the template of that, and drop-ins, each in several places. In: places and the name
// of a sandbox. Out: texts, in the order in which they count. It knows nothing of what they say; package config calls
// it.
package configtree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/textfile"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

const (
	// Suffix is that of configs and templates.
	Suffix = ".sandbox"
	// DropInSuffix is that of drop-ins.
	DropInSuffix = ".conf"
	// forAll is the directory of drop-ins for all sandboxes.
	forAll = "sandbox.d"
)

// File is a file that says something of a sandbox.
type File struct {
	Path, Text string
	// IsDropIn says that it adds to another.
	IsDropIn bool
}

// Config is all that says what a sandbox shall be.
type Config struct {
	Path  string // of the config, which for an instance can be a link to its template
	Files []File // the config or the template of it, and then the drop-ins
}

// Fragment is the file that drop-ins add to.
func (c *Config) Fragment() File { return c.Files[0] }

// DropIns are the files that add to the fragment.
func (c *Config) DropIns() []File { return c.Files[1:] }

// MaskedError is a sandbox that somebody does not want to be there.
type MaskedError struct{ Name, By string }

func (e *MaskedError) Error() string { return fmt.Sprintf("%s is masked by %s", e.Name, e.By) }

// ErrNotFound is returned where no place has a config of the name.
var ErrNotFound = errors.New("no such config")

// Tree are the places of configs.
type Tree struct {
	Places  []string // directories, the one that counts most first
	Limit   int64    // of what is read of one file, in bytes
	seen    *listing // nil: the places are looked at each time
	instead *File    // of what is there of its path; nil for none
}

// Exists reports whether a place is there.
func (t Tree) Exists() bool {
	return slices.ContainsFunc(t.Places, func(place string) bool {
		_, err := os.Stat(place)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// Template returns the name of the template that a name is an instance of: web@ for web@a.
func Template(name string) (template string, ok bool) {
	at := strings.IndexByte(name, '@')
	if at < 0 || at == len(name)-1 {
		return "", false
	}
	return name[:at+1], true
}

// IsTemplate reports whether a name is that of a template.
func IsTemplate(name string) bool { return strings.IndexByte(name, '@') == len(name)-1 && name != "" }

// Path returns where the config of a name lies; in the first place where it is in none.
func (t Tree) Path(name string) string {
	for _, place := range t.Places {
		if file := filepath.Join(place, name+Suffix); t.has(place, name+Suffix) {
			return file
		}
	}
	return filepath.Join(t.Places[0], name+Suffix)
}

// LowerPath returns where another place than the first has the config of a name; "" for none.
func (t Tree) LowerPath(name string) string {
	for _, place := range t.Places[1:] {
		if t.has(place, name+Suffix) {
			return filepath.Join(place, name+Suffix)
		}
	}
	return ""
}

// Templates lists the templates that are there, in alphabetical order.
func (t Tree) Templates() ([]string, error) {
	names, err := t.Names()
	return slices.DeleteFunc(names, func(name string) bool { return !IsTemplate(name) }), err
}

// Fragment finds the config in the first place that has one, or where that is a link to the template of its name, the
// template, wherever that lies. file is the config. Errors: ErrNotFound, *MaskedError, or of reading.
func (t Tree) Fragment(name string) (fragment File, file string, err error) {
	file, text, err := t.first(name, name)
	template, isInstance := Template(name)
	if isInstance && (err == nil || !errors.Is(err, ErrNotFound)) && t.isLinkTo(file, template) {
		var of string
		of, text, err = t.first(template, name)
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("read config %s: its template %s%s is in none of %s", file, template, Suffix,
				strings.Join(t.Places, ", "))
		}
		return File{Path: of, Text: text}, file, err
	}
	return File{Path: file, Text: text}, file, err
}

// isLinkTo reports whether a config is a link to a template, whichever place it names.
func (t Tree) isLinkTo(file, template string) bool {
	target, err := os.Readlink(file)
	return err == nil && filepath.Base(target) == template+Suffix
}

// first reads the file of a name in the first place that has it. of is the sandbox.
func (t Tree) first(name, of string) (file, text string, err error) {
	for _, place := range t.Places {
		if t.seen != nil && !t.has(place, name+Suffix) {
			continue
		}
		file = filepath.Join(place, name+Suffix)
		text, err = t.read(file)
		if err == nil {
			return file, text, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			target, linkErr := os.Readlink(file)
			if linkErr != nil {
				continue
			}
			return file, "", fmt.Errorf("read config %s: it is a link to %s, which does not exist", file, target)
		}
		if isNull(file) {
			return file, "", &MaskedError{of, file}
		}
		return file, "", fmt.Errorf("read config: %w", err)
	}
	return "", "", ErrNotFound
}

// With returns the tree as it would be with another file.
func (t Tree) With(file File) Tree {
	t.instead = &file
	return t
}

func (t Tree) read(file string) (string, error) {
	if t.instead != nil && t.instead.Path == file {
		return t.instead.Text, nil
	}
	return textfile.Read(file, t.Limit)
}

// isNull reports whether a file is /dev/null, or a link there.
func isNull(file string) bool {
	var stat unix.Stat_t
	return unix.Stat(file, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFCHR && stat.Rdev == unix.Mkdev(1, 3)
}

// DropIns reads the drop-ins of a name, sorted by their names whichever directory they are in. Of those with the same
// name that counts whose directory is the first of DropInDirs; a link to /dev/null hides the others and adds nothing.
func (t Tree) DropIns(name string) ([]File, error) {
	var found []string
	in := make(map[string]string)
	for _, dir := range t.DropInDirs(name) {
		files, err := t.list(dir)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if _, hidden := in[file]; !hidden {
				in[file] = dir
				found = append(found, file)
			}
		}
	}
	slices.Sort(found)
	var files []File
	for _, file := range found {
		f, masked, err := t.readDropIn(filepath.Join(in[file], file))
		if err != nil {
			return nil, err
		}
		if !masked {
			files = append(files, f)
		}
	}
	return files, nil
}

// DropInDirs lists the directories in which drop-ins of a name can lie. In each place those of the name come first,
// then those of its template and of what both begin with up to a dash; those for all come after all others.
func (t Tree) DropInDirs(name string) []string {
	var dirs []string
	names := dropInNames(name)
	for _, place := range t.Places {
		for _, n := range names {
			if dir := n + Suffix + ".d"; t.seen == nil || t.has(place, dir) {
				dirs = append(dirs, filepath.Join(place, dir))
			}
		}
	}
	for _, place := range t.Places {
		if t.seen == nil || t.has(place, forAll) {
			dirs = append(dirs, filepath.Join(place, forAll))
		}
	}
	return dirs
}

// DropInDir is where an administrator's drop-ins of a name lie.
func (t Tree) DropInDir(name string) string { return filepath.Join(t.Places[0], name+Suffix+".d") }

// dropInNames lists what drop-ins for a name can be called after, in the order of systemd's: web-1@a has those of
// web-1@a, web-1@, web-, web-@a and web-@.
func dropInNames(name string) []string {
	unit, err := unitname.Parse(name + "." + string(unitname.Service))
	if err != nil {
		return []string{name}
	}
	names := unit.DropInNames()
	for i, n := range names {
		names[i] = strings.TrimSuffix(n, "."+string(unitname.Service))
	}
	return names
}

func (t Tree) readDropIn(path string) (f File, masked bool, err error) {
	if t.seen != nil {
		if f, known := t.seen.texts[path]; known {
			return f, f.Path == "", nil
		}
	}
	text, err := t.read(path)
	switch {
	case err == nil:
		f = File{Path: path, Text: text, IsDropIn: true}
	case !isNull(path):
		return f, false, fmt.Errorf("read drop-in: %w", err)
	}
	if t.seen != nil && t.seen.isShared(path) {
		t.seen.texts[path] = f
	}
	return f, f.Path == "", nil
}

// list returns the names of drop-ins in a directory; one that is not there has none.
func (t Tree) list(dir string) ([]string, error) {
	if t.seen != nil {
		if files, known := t.seen.dirs[dir]; known {
			return files, nil
		}
	}
	all, err := textfile.Names(dir)
	if t.instead != nil && filepath.Dir(t.instead.Path) == dir {
		all = append(all, filepath.Base(t.instead.Path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("list drop-ins: %w", err)
	}
	files := slices.DeleteFunc(all, func(file string) bool {
		return file[0] == '.' || filepath.Ext(file) != DropInSuffix
	})
	if t.seen != nil && t.seen.isShared(filepath.Join(dir, "_")) {
		t.seen.dirs[dir] = files
	}
	return files, nil
}

// Names lists the configs and templates that are there, in all places, each once and in alphabetical order, without
// their suffix. Other files of the suffix are among them.
func (t Tree) Names() ([]string, error) {
	if t.seen == nil {
		var err error
		if t, err = t.Listed(); err != nil {
			return nil, err
		}
	}
	var names []string
	for _, place := range t.Places {
		for file := range t.seen.has[place] {
			if name, found := strings.CutSuffix(file, Suffix); found {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
