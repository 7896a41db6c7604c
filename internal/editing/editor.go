// SPDX-License-Identifier: Apache-2.0

package editing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/textfile"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// Target is what is edited: the config of a sandbox, a template such as web@, or the drop-in of one.
type Target struct {
	Name   string
	DropIn bool
}

// dropInFile is the drop-in that is edited, as systemctl edit calls it.
const dropInFile = "override" + configtree.DropInSuffix

// Editor edits configs on this host.
type Editor struct {
	Configs config.Store
	// Lock waits until nobody else works on a sandbox.
	Lock func(ctx context.Context, name string) (*lockfile.Lock, error)
	// IsUp reports whether a sandbox runs.
	IsUp func(name string) bool
	// Reload has the host's systemd read units anew.
	Reload func(ctx context.Context) error
	Warn   func(format string, args ...any)
}

// Edit lets a person change a target: edit is called with a file that has its text. What cannot be used is told to
// again, which reports whether to edit it once more. Errors: config.ErrNotFound, *Error.
func (e *Editor) Edit(ctx context.Context, target Target, edit func(file string) error, again func(error) bool) error {
	file, err := e.file(target)
	if err != nil {
		return err
	}
	text, err := read(file)
	if err != nil {
		return err
	}
	shown := text
	if target.DropIn && text == "" {
		shown = fmt.Sprintf("# Adds to %s; see DROP-INS of virt-sandbox.config(5).\n", e.Configs.SourcePath(target.Name))
	}
	take := func(edited string) error { return e.take(ctx, target, file, edited, text, shown) }
	return Session{Name: target.Name, Text: shown, Edit: edit, Take: take, Again: again}.Run()
}

// file returns the file of a target that is to be written, or says who writes it.
func (e *Editor) file(target Target) (string, error) {
	template := configtree.IsTemplate(target.Name)
	check := target.Name
	if template {
		check += "x"
	}
	if err := config.CheckName(check); err != nil {
		return "", err
	}
	fragment, file, err := e.Configs.Tree().Fragment(target.Name)
	if errors.Is(err, configtree.ErrNotFound) {
		return "", fmt.Errorf("%s: %w (%s)", target.Name, config.ErrNotFound, e.Configs.Path(target.Name))
	}
	var masked *config.MaskedError
	switch {
	case target.DropIn && !errors.As(err, &masked):
		return filepath.Join(e.Configs.Tree().DropInDir(target.Name), dropInFile), nil
	case err != nil:
		return "", err
	case fragment.Path != file:
		return "", field.Errorf("%s is an instance of %s, of which all others are too; edit %s edits that, and edit %s %s "+
			"what it has alone", target.Name, fragment.Path, strings.TrimSuffix(filepath.Base(fragment.Path), config.Suffix),
			field.DropIn, target.Name)
	case file != e.Configs.Path(target.Name):
		return "", field.Errorf("%s is not an administrator's; edit %s %s adds to it, and a copy at %s counts in its place",
			file, field.DropIn, target.Name, e.Configs.Path(target.Name))
	}
	if linked, err := os.Readlink(file); err == nil {
		return "", field.Errorf("%s is a link to %s; edit that, or add to it with edit %s %s", file, linked, field.DropIn,
			target.Name)
	}
	return file, nil
}

// read returns the text of a file; of one that is not there, none.
func read(file string) (string, error) {
	text, err := config.ReadText(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return text, err
}

// affected lists the sandboxes that a target is for. Of a template without instances it makes one up, to be checked.
func (e *Editor) affected(name string) ([]string, error) {
	if !configtree.IsTemplate(name) {
		return []string{name}, nil
	}
	all, err := e.Configs.Names()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, one := range all {
		if template, _ := configtree.Template(one); template == name {
			names = append(names, one)
		}
	}
	return names, nil
}

// take writes the text of a file in place of the old one.
func (e *Editor) take(ctx context.Context, target Target, file, edited, old, shown string) error {
	text, err := config.ReadText(edited)
	if err != nil {
		return fmt.Errorf("read the edited config: %w", err)
	}
	if text == shown {
		e.Warn("nothing was changed")
		return nil
	}
	names, err := e.affected(target.Name)
	if err != nil {
		return err
	}
	with := e.Configs.With(configtree.File{Path: file, Text: text, IsDropIn: target.DropIn})
	if len(names) == 0 {
		if _, err := with.Instance(target.Name + "instance"); err != nil {
			return located(err, file, edited)
		}
	}
	lock, err := e.Lock(ctx, target.Name)
	if err != nil {
		return err
	}
	defer lock.Release()
	if now, err := read(file); err != nil || now != old {
		return errors.Join(err, fmt.Errorf("%s was changed by somebody else meanwhile", file))
	}
	for _, name := range names {
		if err := e.check(with, name, file, edited); err != nil {
			return err
		}
	}
	if err := e.write(target, file, text); err != nil {
		return err
	}
	for _, name := range names {
		if e.IsUp(name) {
			e.Warn("%s is running: what was changed takes effect at its next start", name)
		}
	}
	return e.Apply(ctx)
}

// Apply has the host's systemd read units anew, after a change.
func (e *Editor) Apply(ctx context.Context) error {
	if err := e.Reload(ctx); err != nil {
		return fmt.Errorf("the change is made, but systemd has not read it; run systemctl daemon-reload: %w", err)
	}
	return nil
}

// check refuses what a sandbox cannot be with the text that is edited. One of a template's that something else is wrong
// with does not keep the others from being changed.
func (e *Editor) check(with config.Store, name, file, edited string) error {
	now, err := with.Load(name)
	if err != nil {
		var syntax *config.SyntaxError
		if errors.As(err, &syntax) {
			return located(err, file, edited)
		}
		return err
	}
	was, err := e.Configs.Load(name)
	if err != nil {
		// It could not be used; what its content says remains.
		was = nil
	}
	if err := KeepsIdentity(now, was); err != nil {
		return err
	}
	if was != nil && was.HostUnit() != now.HostUnit() {
		e.Warn("the unit of %s is %s now, and was %s; run enable again to have it start with the host", name, now.HostUnit(),
			was.HostUnit())
	}
	return nil
}

// write writes a config or a drop-in. A drop-in that says nothing goes.
func (e *Editor) write(target Target, file, text string) error {
	says, secret := false, false
	_ = textmerge.Each(text, config.IsVerbatim, func(l textmerge.Line, _ error) error {
		says = says || l.Kind == textmerge.Setting
		secret = secret || l.Kind == textmerge.Setting && config.IsSecret(l.Section)
		return nil
	})
	if target.DropIn && !says {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove drop-in: %w", err)
		}
		// What else is in it stays.
		_ = os.Remove(filepath.Dir(file))
		return nil
	}
	if err := textfile.WriteAs(file, text, secret); err != nil {
		return fmt.Errorf("write config: %w", err)
	}
	return nil
}

// located calls the file whose text is edited by the name that it has meanwhile.
func located(err error, file, edited string) error {
	var syntax *config.SyntaxError
	if errors.As(err, &syntax) {
		for _, mistake := range syntax.All() {
			if mistake.File == file {
				mistake.File = edited
			}
		}
	}
	return err
}
