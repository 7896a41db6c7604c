// SPDX-License-Identifier: Apache-2.0

// Package editing lets a person edit the text of a config in a temporary file, as often as it takes. In: a text, and
// functions that call an editor, take its text and ask whether to go on; out: nothing, or an error that names the file
// where the person's text stays. It knows no store and no lock; the edit verb of package helper calls it.
package editing

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
)

// Error is a text that was not taken. It stays in a file.
type Error struct {
	File string // the text as it was edited
	Err  error
}

func (e *Error) Error() string {
	return fmt.Sprintf("%v; the config is as it was, and your text is in %s", e.Err, e.File)
}

// Unwrap returns what was wrong.
func (e *Error) Unwrap() error { return e.Err }

// Session is one edit of a text.
type Session struct {
	Name string // of the sandbox
	Text string // as it was
	// Edit lets the person change the file.
	Edit func(file string) error
	// Take uses the text of the file, or says what is wrong with it.
	Take func(file string) error
	// Again is told what Edit or Take said, and reports whether to edit once more.
	Again func(error) bool
}

// Run edits until the text was taken or the person gives up. The file goes, unless it has changes that were not taken.
// Errors: *Error, that of the last Edit or Take where nothing was changed, or of the file.
func (s Session) Run() error {
	dir, err := os.MkdirTemp("", "virt-sandbox-edit-")
	if err != nil {
		return fmt.Errorf("edit config: %w", err)
	}
	// Named as the config is, for editors go by that and messages name it.
	file := filepath.Join(dir, s.Name+config.Suffix)
	if err := os.WriteFile(file, []byte(s.Text), 0o600); err != nil {
		return errors.Join(fmt.Errorf("edit config: %w", err), os.RemoveAll(dir))
	}
	for {
		err := s.Edit(file)
		if err == nil {
			err = s.Take(file)
		}
		if err == nil {
			return os.RemoveAll(dir)
		}
		if !s.Again(err) {
			if now, readErr := config.ReadText(file); readErr == nil && now == s.Text {
				return errors.Join(err, os.RemoveAll(dir))
			}
			return &Error{file, err}
		}
	}
}

// KeepsIdentity refuses a config that would make another sandbox of one. was is nil where the old config could not be
// used; then the content says whose it is, if anything does.
func KeepsIdentity(edited, was *config.Sandbox) error {
	if was == nil {
		id, err := filestate.ReadIdentity(edited.Content)
		if err != nil || id == nil || id.Name != edited.Name {
			return nil
		}
		was = &config.Sandbox{Name: id.Name, UUID: id.UUID, MachineID: id.MachineID, State: edited.State}
	}
	return CheckIdentity(edited, was)
}

// CheckIdentity refuses a config that would make another sandbox of one. What was does not say may be set, but for the
// state.
func CheckIdentity(edited, was *config.Sandbox) error {
	for _, key := range []struct{ name, was, is string }{
		{"name", was.Name, edited.Name}, {"uuid", was.UUID, edited.UUID},
		{"machine-id", was.MachineID, edited.MachineID},
		{"state", string(was.State), string(edited.State)},
	} {
		if key.was != key.is && (key.was != "" || key.name == "state") {
			return fmt.Errorf("%s= cannot be changed, from %q to %q; clone makes another sandbox of this one",
				key.name, key.was, key.is)
		}
	}
	return nil
}
