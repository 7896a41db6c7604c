// SPDX-License-Identifier: Apache-2.0

package editing

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/dropin"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// settingsFile is the drop-in that has settings which a config cannot say. It has a name of its own: one of the name
// that a template's drop-in has would hide that.
const settingsFile = "set-property" + configtree.DropInSuffix

// settingsHead tells a person who has written the drop-in.
const settingsHead = "# Written by virt-sandbox-service set-property.\n"

// Change is what the files of a sandbox will say.
type Change struct {
	Before, After *config.Sandbox
	files         []text
}

// text is the text of a file, with the one that it shall have.
type text struct {
	path, old, now string
	isDropIn       bool
}

// With returns what becomes of a sandbox by settings, of which an empty value is the default; nothing is written. Each
// goes into the config of the sandbox where that counts and an administrator has written it, else into a drop-in.
// Errors: config.ErrNotFound, *config.SyntaxError.
func (e *Editor) With(name string, settings []textmerge.Entry) (*Change, error) {
	before, err := e.Configs.Load(name)
	if err != nil {
		return nil, err
	}
	c := &Change{Before: before}
	dropIn := filepath.Join(e.Configs.Tree().DropInDir(name), settingsFile)
	for _, file := range []text{{path: e.Configs.Path(name)}, {path: dropIn, isDropIn: true}} {
		if !file.isDropIn {
			if path, err := e.file(Target{Name: name}); err != nil || path != file.path {
				continue
			}
		}
		if file.old, err = read(file.path); err != nil {
			return nil, err
		}
		file.now = file.old
		c.files = append(c.files, file)
	}
	for _, setting := range settings {
		if err := c.set(e.Configs, name, setting); err != nil {
			return nil, err
		}
	}
	wish, _, err := c.wish(e.Configs, name)
	if err == nil {
		c.After, err = e.Configs.Complete(wish)
	}
	return c, err
}

// set has a setting be said where it counts.
func (c *Change) set(configs config.Store, name string, setting textmerge.Entry) error {
	if strings.TrimSpace(setting.Value) == "" {
		return c.reset(configs, name, setting)
	}
	for i := range c.files {
		before := c.files[i].now
		c.files[i].put(setting)
		_, said, err := c.wish(configs, name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(said, func(s dropin.Said) bool {
			return s.File == c.files[i].path && s.Section == setting.Section && s.Key == setting.Key
		}) {
			return nil
		}
		if i < len(c.files)-1 {
			c.files[i].now = before
		}
	}
	return c.decided(configs, name, setting)
}

// reset has a key be what it is where nobody says it.
func (c *Change) reset(configs config.Store, name string, setting textmerge.Entry) error {
	isSaid := func() (bool, error) {
		_, said, err := c.wish(configs, name)
		return slices.ContainsFunc(said, func(s dropin.Said) bool {
			return s.Section == setting.Section && s.Key == setting.Key
		}), err
	}
	for i := range c.files {
		c.files[i].remove(setting)
	}
	said, err := isSaid()
	if err != nil || !said {
		return err
	}
	c.files[len(c.files)-1].put(setting)
	if said, err = isSaid(); err != nil || !said {
		return err
	}
	return c.decided(configs, name, setting)
}

// decided says which file keeps a setting from counting.
func (c *Change) decided(configs config.Store, name string, setting textmerge.Entry) error {
	_, said, err := c.wish(configs, name)
	for _, s := range said {
		if s.Section == setting.Section && s.Key == setting.Key {
			err = fmt.Errorf("%s:%d says %s= and counts more; change it there", s.File, s.Line, s.Key)
		}
	}
	return err
}

// wish returns what the files ask for together with those that stay, and the lines that count.
func (c *Change) wish(configs config.Store, name string) (*config.Sandbox, []dropin.Said, error) {
	found, err := configs.Find(name)
	if err != nil {
		return nil, nil, err
	}
	files := found.Files
	for _, changed := range c.files {
		file := configtree.File{Path: changed.path, Text: changed.now, IsDropIn: changed.isDropIn}
		if i := slices.IndexFunc(files, func(f configtree.File) bool { return f.Path == file.Path }); i >= 0 {
			files[i] = file
			continue
		}
		// Drop-ins count in the order of their names, whichever directory they are in.
		i := 1 + slices.IndexFunc(files[1:], func(f configtree.File) bool {
			return filepath.Base(f.Path) > settingsFile
		})
		if i == 0 {
			i = len(files)
		}
		files = slices.Insert(slices.Clone(files), i, file)
	}
	return configs.WishOf(name, files)
}

// put says a setting in place of what the text said of the key.
func (t *text) put(setting textmerge.Entry) {
	lines, entries := t.parse()
	isKey := func(e textmerge.Entry) bool { return e.Section == setting.Section && e.Key == setting.Key }
	if i := slices.IndexFunc(entries, isKey); i >= 0 {
		entries = append(slices.DeleteFunc(entries[:i:i], isKey), slices.DeleteFunc(entries[i:], isKey)...)
		entries = slices.Insert(entries, i, setting)
	} else {
		entries = append(entries, setting)
	}
	if t.now == "" {
		t.now = settingsHead
		lines, _ = t.parse()
	}
	t.now = textmerge.Merge(lines, entries, func(e textmerge.Entry) string {
		if e.Value == "" && isKey(e) {
			return e.Key + "="
		}
		return config.EntryText(e)
	})
}

// remove has the text say nothing of a key.
func (t *text) remove(setting textmerge.Entry) {
	lines, entries := t.parse()
	kept := slices.DeleteFunc(slices.Clone(entries), func(e textmerge.Entry) bool {
		return e.Section == setting.Section && e.Key == setting.Key
	})
	if len(kept) < len(entries) {
		t.now = textmerge.Merge(lines, kept, config.EntryText)
	}
}

// parse returns the lines of a text, and the settings among them.
func (t *text) parse() (lines []textmerge.Line, settings []textmerge.Entry) {
	if t.now == "" {
		return nil, nil
	}
	_ = textmerge.Each(t.now, config.IsVerbatim, func(l textmerge.Line, _ error) error {
		if lines = append(lines, l); l.Kind == textmerge.Setting {
			settings = append(settings, l.Entry)
		}
		return nil
	})
	return lines, settings
}

// Write writes what has changed, all or nothing.
// Preconditions: the caller has held the lock on the name since before With.
func (e *Editor) Write(name string, c *Change) error {
	var written []text
	for _, file := range c.files {
		if file.now == file.old {
			continue
		}
		if err := e.write(Target{name, file.isDropIn}, file.path, file.now); err != nil {
			return errors.Join(err, e.unwrite(name, written))
		}
		written = append(written, file)
	}
	return nil
}

// unwrite puts back what files said.
func (e *Editor) unwrite(name string, written []text) (err error) {
	for _, file := range written {
		err = errors.Join(err, e.write(Target{name, file.isDropIn}, file.path, file.old))
	}
	return err
}
