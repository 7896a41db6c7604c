// SPDX-License-Identifier: Apache-2.0

// Package logview shows what sandboxes said: the journal of a container that is down, read by a process without rights,
// and the console of a command. In: options as those of journalctl(1), and where content lies. Out: lines that are
// harmless for a terminal, and an exit status. The verb logs calls it.
package logview

import (
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Options choose what is shown of a journal, as those of journalctl(1) do.
type Options struct {
	Follow       bool
	Lines        int // the last ones; negative: all
	Unit         string
	Since, Until string
	Priority     string
	Boot         string // of the host; empty: all
	Grep         string // a regular expression (pcre2pattern(3))
	Identifier   string // of syslog
	Reverse      bool
	Output       string // empty: short
}

// Forms are the forms of journalctl(1) that Output can be: text for a person or a script.
func Forms() []string {
	return []string{
		"short", "short-full", "short-iso", "short-iso-precise", "short-precise", "short-monotonic", "short-unix",
		"with-unit", "verbose", "json", "json-pretty", "cat",
	}
}

// Arguments returns the options as those of journalctl, each in one word.
func (o Options) Arguments() ([]string, error) {
	args := []string{"--no-pager", "--quiet"}
	if o.Follow {
		args = append(args, "--follow")
	}
	if o.Lines >= 0 {
		args = append(args, "--lines="+strconv.Itoa(o.Lines))
	}
	if o.Reverse {
		args = append(args, "--reverse")
	}
	if o.Unit != "" {
		unit := unitname.Complete(o.Unit)
		if err := config.CheckUnit(unit); err != nil {
			return nil, &describe.OptionError{Err: field.Errorf("%s: %w", field.Units, err)}
		}
		args = append(args, "--unit="+unit)
	}
	if o.Output != "" {
		if !slices.Contains(Forms(), o.Output) {
			return nil, &describe.OptionError{Err: field.Errorf("%s %q is not one of %s",
				field.Output, o.Output, strings.Join(Forms(), ", "))}
		}
		args = append(args, "--output="+o.Output)
	}
	for _, option := range []struct{ name, value string }{
		{"since", o.Since}, {"until", o.Until}, {"priority", o.Priority}, {"boot", o.Boot}, {"grep", o.Grep},
		{"identifier", o.Identifier},
	} {
		if option.value != "" {
			args = append(args, "--"+option.name+"="+option.value)
		}
	}
	return args, nil
}
