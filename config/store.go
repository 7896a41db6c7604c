// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/dropin"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
	"github.com/virt-sandbox/virt-sandbox/internal/textfile"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// DefaultDir holds the configs of administrators; those of this boot in RunDir, and of packages in VendorDir, count
// where no higher one has the name. DirVariable names the environment variable that takes the place of all in tests and
// dry runs.
const (
	DefaultDir  = "/etc/libvirt-sandbox/services"
	RunDir      = "/run/libvirt-sandbox/services"
	VendorDir   = "/usr/lib/libvirt-sandbox/services"
	DirVariable = "VIRT_SANDBOX_CONFIG_DIR"
	Suffix      = configtree.Suffix
)

// MaskedError is returned for a sandbox whose config is a link to /dev/null.
type MaskedError = configtree.MaskedError

// Store has the descriptions of all sandboxes: what administrators want, in configs, and what was found or allocated
// beside that, in states. A description is both; what a config says wins.
type Store struct {
	Dir   string    // of the configs that are written, which count most
	Lower [2]string // directories of configs that count less, the higher first
	// States has a directory for each sandbox, with its state. Empty: the config has everything.
	States statefile.Dir
	// IsRecord says that a config is that of one run: it has everything, and means nothing but what it says.
	IsRecord bool

	listed *configtree.Tree
}

// OpenStore returns the store that the environment asks for.
func OpenStore() Store {
	if dir := os.Getenv(DirVariable); dir != "" {
		return Store{Dir: dir, States: statefile.Dir(filepath.Join(dir, ".states"))}
	}
	return Store{Dir: DefaultDir, Lower: [2]string{RunDir, VendorDir}, States: statefile.Default}
}

// Tree returns where configs, templates and drop-ins are looked for.
func (s Store) Tree() configtree.Tree {
	if s.listed != nil {
		return *s.listed
	}
	t := configtree.Tree{Places: []string{s.Dir}, Limit: maxConfigSize}
	for _, dir := range s.Lower {
		if dir != "" {
			t.Places = append(t.Places, dir)
		}
	}
	return t
}

// Listed returns the store for who reads all that is there now: directories are listed once.
func (s Store) Listed() (Store, error) {
	t, err := s.Tree().Listed()
	s.listed = &t
	return s, err
}

// Path returns where the config of a sandbox is written. name must have passed CheckName.
func (s Store) Path(name string) string { return filepath.Join(s.Dir, name+Suffix) }

// SourcePath returns where the config of a sandbox is read: Path, unless a lower directory has it.
func (s Store) SourcePath(name string) string { return s.Tree().Path(name) }

// Load reads one description. Errors: ErrNotFound, *MaskedError, *SyntaxError, or of reading.
func (s Store) Load(name string) (*Sandbox, error) {
	sandbox, _, err := s.LoadText(name)
	return sandbox, err
}

// LoadText is Load that returns the text of the config too.
func (s Store) LoadText(name string) (*Sandbox, string, error) {
	files, err := s.Find(name)
	if err != nil {
		return nil, "", err
	}
	wish, err := s.Parse(name, files.Files...)
	if err != nil {
		return nil, "", err
	}
	sandbox, err := s.Complete(wish)
	return sandbox, files.Fragment().Text, err
}

// Parse reads files of one config, as Find returns them.
func (s Store) Parse(name string, files ...configtree.File) (*Sandbox, error) {
	return parseFiles(name, s.IsRecord, files...)
}

// Wish returns what the config of a sandbox and its drop-ins ask for, and the lines that say it, those that count.
// Errors: those of Load.
func (s Store) Wish(name string) (*Sandbox, []dropin.Said, error) {
	files, err := s.Find(name)
	if err != nil {
		return nil, nil, err
	}
	return s.WishOf(name, files.Files)
}

// WishOf is Wish for files that Planned has returned.
func (s Store) WishOf(name string, files []configtree.File) (*Sandbox, []dropin.Said, error) {
	all, err := sayings(name, s.IsRecord, files)
	if err != nil {
		return nil, nil, err
	}
	wish, err := all.sandbox(name, files[0].Path)
	return wish, all.effective(), err
}

// Planned returns what Find will return once a sandbox is made that has nothing allocated yet.
func (s Store) Planned(sandbox *Sandbox) ([]configtree.File, error) {
	dropIns, err := s.dropIns(sandbox.Name)
	fragment := configtree.File{Path: s.Path(sandbox.Name)}
	if template, isInstance := configtree.Template(sandbox.Name); isInstance && err == nil {
		fragment, _, err = s.Tree().Fragment(template)
	} else {
		fragment.Text = textBeside(sandbox.Wish(GivenBy(sandbox)), "", dropIns)
	}
	return slices.Concat([]configtree.File{fragment}, dropIns), err
}

// ParseWith reads the text of a config with the drop-ins that a sandbox has. file is what errors call it.
func (s Store) ParseWith(name, file, text string) (*Sandbox, error) {
	dropIns, err := s.dropIns(name)
	if err != nil {
		return nil, err
	}
	return s.Parse(name, slices.Concat([]configtree.File{{Path: file, Text: text}}, dropIns)...)
}

func (s Store) dropIns(name string) ([]configtree.File, error) {
	if s.IsRecord {
		return nil, nil
	}
	return s.Tree().DropIns(name)
}

// WithDropIns returns a description as it will be with the drop-ins that are there for its name.
func (s Store) WithDropIns(sandbox *Sandbox) (*Sandbox, error) {
	dropIns, err := s.dropIns(sandbox.Name)
	if err != nil || len(dropIns) == 0 {
		return sandbox, err
	}
	return s.ParseWith(sandbox.Name, s.Path(sandbox.Name), textBeside(sandbox, "", dropIns))
}

// With returns the store as it would be with another text of one file.
func (s Store) With(file configtree.File) Store {
	t := s.Tree().With(file)
	s.listed = &t
	return s
}

// Instance returns what a template and the drop-ins of an instance ask for, whether that is there or not.
func (s Store) Instance(name string) (*Sandbox, error) {
	template, isInstance := configtree.Template(name)
	if !isInstance || CheckName(name) != nil {
		return nil, fmt.Errorf(msgName, name)
	}
	fragment, _, err := s.Tree().Fragment(template)
	if errors.Is(err, configtree.ErrNotFound) {
		return nil, fmt.Errorf("there is no template %s (%s)", template, s.Path(template))
	}
	if err != nil {
		return nil, err
	}
	return s.ParseWith(name, fragment.Path, fragment.Text)
}

// SaveInstance has an instance of a template be there: its state, and then the link that says so.
func (s Store) SaveInstance(sandbox *Sandbox) error {
	if err := s.Keep(sandbox); err != nil {
		return err
	}
	template, _ := configtree.Template(sandbox.Name)
	target := s.SourcePath(template)
	if filepath.Dir(target) == s.Dir {
		target = filepath.Base(target)
	}
	if err := os.Symlink(target, s.Path(sandbox.Name)); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// ReadText reads a file as that of a config is read: only a regular one, and of a long one no more than tells that.
func ReadText(file string) (string, error) { return textfile.Read(file, maxConfigSize) }

// Read returns the text of one config, of a file that is too long its beginning. Errors: ErrNotFound, *MaskedError, or
// of reading.
func (s Store) Read(name string) (string, error) {
	files, err := s.Find(name)
	if err != nil {
		return "", err
	}
	return files.Fragment().Text, nil
}

// Find returns the files of one config: its own or its template, and drop-ins. Errors: ErrNotFound, *MaskedError, or of
// reading.
func (s Store) Find(name string) (*configtree.Config, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	var c *configtree.Config
	fragment, file, err := s.Tree().Fragment(name)
	if err == nil {
		c = &configtree.Config{Path: file, Files: []configtree.File{fragment}}
		var dropIns []configtree.File
		dropIns, err = s.dropIns(name)
		c.Files = append(c.Files, dropIns...)
	}
	if errors.Is(err, configtree.ErrNotFound) {
		return nil, fmt.Errorf("%s: %w (%s)", name, ErrNotFound, s.Path(name))
	}
	return c, err
}

// Names lists the sandboxes that have a config file, usable or not, in alphabetical order.
func (s Store) Names() ([]string, error) {
	names, err := s.Tree().Names()
	return slices.DeleteFunc(names, func(name string) bool { return CheckName(name) != nil }), err
}

// Save writes a description, of which nothing that can be allocated was asked for: the state, and then the config, each
// in one step. Comments of a config that is already there are kept.
func (s Store) Save(sandbox *Sandbox) error {
	text, err := textfile.Read(s.Path(sandbox.Name), maxConfigSize)
	if err != nil {
		text = ""
	}
	return s.SaveLike(sandbox, text, Given{})
}

// SaveLike is Save that keeps the comments of another text, and writes into the config what was asked for, but for what
// drop-ins say.
func (s Store) SaveLike(sandbox *Sandbox, like string, given Given) error {
	if s.IsRecord {
		return s.Write(sandbox.Name, textmerge.Merge(nil, sandbox.entries(), EntryText))
	}
	if s.States != "" {
		// The config last: without it there is no sandbox.
		if err := s.Keep(sandbox); err != nil {
			return err
		}
		sandbox = sandbox.Wish(given)
	}
	dropIns, err := s.dropIns(sandbox.Name)
	if err != nil {
		return err
	}
	text := textBeside(sandbox, like, dropIns)
	if _, err := s.ParseWith(sandbox.Name, s.Path(sandbox.Name), text); err != nil {
		text = textBeside(sandbox, "", dropIns)
	}
	err = s.Write(sandbox.Name, text)
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("refuse to write a config that could not be read again: %w", err)
	}
	return err
}

// Write writes the text of a config in one step, mode 0644, or 0600 where it has an environment, which may be secrets.
// Errors: *SyntaxError for one that cannot be used with its drop-ins.
func (s Store) Write(name, text string) error {
	sandbox, err := s.ParseWith(name, s.Path(name), text)
	if err != nil {
		return err
	}
	if err := textfile.WriteAs(s.Path(name), text, len(sandbox.Environment) > 0); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// RemoveDropIns deletes those that an administrator has for one sandbox alone.
func (s Store) RemoveDropIns(name string) error {
	if err := os.RemoveAll(s.Tree().DropInDir(name)); err != nil {
		return fmt.Errorf("remove drop-ins: %w", err)
	}
	return nil
}

// Remove deletes a description; one that is not there is no error.
func (s Store) Remove(name string) error {
	if err := textfile.Remove(s.Path(name)); err != nil {
		return fmt.Errorf("remove config: %w", err)
	}
	if err := textfile.RemoveStale(s.Path(name)); err != nil {
		return fmt.Errorf("remove config: %w", err)
	}
	return s.States.Remove(name)
}
