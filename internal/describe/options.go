// SPDX-License-Identifier: Apache-2.0

// Package describe turns what an administrator asks of create, clone and import into the description of a sandbox. In:
// options, and the description of another sandbox. Out: a description that can be made, or a mistake in the options. It
// looks at the files that options name, and changes nothing. The verbs call it before they make anything.
package describe

import (
	"errors"
	"io/fs"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Options are what an administrator asks of create.
type Options struct {
	Name     string
	Template string   // of which Name is an instance, such as web@; it says all but what is to be made and shown
	Units    []string // as typed; Create finds their canonical names
	Packages []string
	Command  []string
	Copy     bool
	Level    string          // MCS level; empty: one is allocated
	Security config.Security // without its FileType; the zero value: static with Level
	Share    bool            // whether the level may be one that others reach
	FileType string
	Include  []string // paths of the host to be private beside those that are found
	Base     string   // directory whose subdirectory Name becomes the content; empty: the default
	Mounts   []string
	Identity config.Identity

	Network    config.NetworkMode // empty: private
	Interfaces []config.Interface

	Capabilities config.Names // the zero value: auto
	SystemCalls  config.Names // the zero value: auto
	IDMap        config.IDMap // the zero value: of its own where the host can give them
	Image        ImageOptions

	DryRun bool // make nothing
}

// For gives the options for one of several sandboxes.
func (o Options) For(name string) Options {
	o.Name = name
	// Create puts canonical names into these.
	o.Units = slices.Clone(o.Units)
	return o
}

// OptionError is an option whose value cannot be used, or that does not go with others: a mistake in the command line.
type OptionError struct{ Err error }

func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *OptionError) Unwrap() error { return e.Err }

// OptionErrorOf makes an OptionError of what was said about options; that the host lacks a file that one names is none.
func OptionErrorOf(err error) error {
	var file *fs.PathError
	if err == nil || errors.As(err, &file) {
		return err
	}
	return &OptionError{err}
}
