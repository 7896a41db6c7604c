// SPDX-License-Identifier: Apache-2.0

package field

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// option is how a program could call fields.
func option(n Name) string { return "--" + strings.ToLower(string(n)) }

func TestText(t *testing.T) {
	level := Errorf("%s %q: try %s", Level, "s9", Share)
	for _, c := range []struct {
		err       error
		go_, text string
	}{
		{errors.New("plain"), "plain", "plain"},
		{level, `Level "s9": try Share`, `--level "s9": try --share`},
		{fmt.Errorf("clone web1: %w", level), `clone web1: Level "s9": try Share`, `clone web1: --level "s9": try --share`},
		{Errorf("%s: %w", Security, level), `Security: Level "s9": try Share`, `--security: --level "s9": try --share`},
		{Errorf("%s: %v", Security, level), `Security: Level "s9": try Share`, `--security: --level "s9": try --share`},
		{Errorf("%s: %w", Mounts, fmt.Errorf("look: %w", level)), `Mounts: look: Level "s9": try Share`, `--mounts: look: ` +
			`--level "s9": try --share`},
		{Errorf("%s is low", Setting{Level, "s0"}), "Level s0 is low", "--level s0 is low"},
		{Errorf("%s is low", Setting{"", "allocated level"}), "allocated level is low", "allocated level is low"},
		{errors.Join(level, errors.New("and"), Errorf("no %s", Base)), "Level \"s9\": try Share\nand\nno Base",
			"--level \"s9\": try --share\nand\nno --base"},
		{Errorf("%s 100%%: %w", Level, fs.ErrNotExist), "Level 100%: file does not exist", "--level 100%: file does not " +
			"exist"},
	} {
		if got := c.err.Error(); got != c.go_ {
			t.Errorf("got %q, want %q", got, c.go_)
		}
		if got := Text(c.err, option); got != c.text {
			t.Errorf("got %q, want %q", got, c.text)
		}
	}
}

// TestUnwrap: what an error that names fields wraps can be asked for.
func TestUnwrap(t *testing.T) {
	err := fmt.Errorf("around: %w", Errorf("%s: %w", Base, &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}))
	var file *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &file) || file.Path != "/x" {
		t.Errorf("%v is not what it wraps", err)
	}
}
