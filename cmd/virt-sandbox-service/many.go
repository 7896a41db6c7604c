// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/foreach"
)

// many is how a verb works on several sandboxes.
type many struct {
	reporting
	all, withAll bool
	jobs         int
}

// libvirtWorkers is how many requests a libvirtd works on at once by default, less some for others (max_workers of
// libvirtd.conf is 20): more starts would wait in there.
const libvirtWorkers = 16

// addFlags adds --jobs, and --all to a verb that can do without names.
func (m *many) addFlags(command *cobra.Command, withAll bool) {
	if m.withAll = withAll; withAll {
		command.Flags().BoolVar(&m.all, "all", false, "all sandboxes, in place of NAMEs")
	}
	m.reporting.addFlags(command)
	command.Flags().IntVarP(&m.jobs, "jobs", "j", min(2*runtime.NumCPU(), libvirtWorkers), fmt.Sprintf("at most `N` "+
		"sandboxes at a time; by default two for each CPU, but %d at most", libvirtWorkers))
}

// check takes one name at least, or --all.
func (m *many) check(_ *cobra.Command, args []string) error {
	if m.jobs < 1 {
		return fmt.Errorf("--jobs takes a number from 1, not %d", m.jobs)
	}
	if m.withAll {
		return namesOrAll(args, m.all)
	}
	return someNames(nil, args)
}

// namesOrAll takes one name at least, or --all.
func namesOrAll(args []string, all bool) error {
	switch {
	case all && len(args) > 0:
		return errors.New("name sandboxes or use --all, not both")
	case !all && len(args) == 0:
		return errors.New("name a sandbox, or use --all")
	}
	return checkNames(args)
}

// checkNames refuses what no sandbox can be called, before anything is done for the others.
func checkNames(args []string) error {
	for _, name := range args {
		if err := config.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

// someNames takes one name at least.
func someNames(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name a sandbox")
	}
	return checkNames(args)
}

// action works on one sandbox and says what became of it. It writes warnings to the writer that it gets.
type action func(ctx context.Context, d *done, stderr io.Writer) error

// each carries a verb out. Of one sandbox that is named it says what went wrong; of several a line for each, with the
// verb's past tense where it went well, and fails when one of them did.
func (m *many) each(ctx context.Context, manager *helper.Manager, names []string, past string, act action) error {
	names, err := m.chosen(manager.Store, names)
	if err != nil {
		return err
	}
	if len(names) == 1 && !m.all && !m.asJSON {
		d := done{Name: names[0]}
		if err := act(ctx, &d, os.Stderr); err != nil {
			return err
		}
		return m.report(&d)
	}
	// On a terminal the lines tell how far it is; of several copies at once no other progress could be shown.
	manager.SetProgress(nil)
	var lines sync.Mutex
	results := make(map[string]*done, len(names))
	for _, name := range names {
		results[name] = &done{Name: name}
	}
	failed := false
	err = manager.BatchReloads(ctx, func() {
		foreach.Do(ctx, names, m.jobs, func(ctx context.Context, name string) error {
			return act(ctx, results[name], &named{name: name, mu: &lines, out: os.Stderr})
		}, func(name string, err error) {
			if err == nil {
				m.tell(past, results[name])
				return
			}
			failed = true
			results[name].Error = flagname.Text(err)
			if !errors.Is(err, errReported) {
				lines.Lock()
				defer lines.Unlock()
				fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, flagname.Text(err)))
			}
		})
	})
	if m.asJSON {
		err = errors.Join(err, m.printJSON(names, results))
	}
	if err == nil && failed {
		return errReported
	}
	return err
}

// chosen returns the names to work on, each once.
func (m *many) chosen(store config.Store, names []string) ([]string, error) {
	if !m.all {
		return unique(names), nil
	}
	return namesOfAll(store, func() ([]string, error) { return all(store) })
}

// namesOfAll returns what list has found, for --all.
func namesOfAll(store config.Store, list func() ([]string, error)) ([]string, error) {
	if err := checkConfigDir(store); err != nil {
		return nil, err
	}
	names, err := list()
	if err == nil {
		tellOfNone(names)
	}
	return names, err
}

// tellOfNone says to a person that there is nothing to work on.
func tellOfNone(names []string) {
	if len(names) == 0 && isTerminal(os.Stderr) {
		fmt.Fprintln(os.Stderr, "There are no sandboxes.")
	}
}

func isTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }

// about puts a name before what is said of it, unless that begins with it.
func about(name, text string) string {
	for _, beginning := range []string{": ", " is ", " has "} {
		if strings.HasPrefix(text, name+beginning) {
			return text
		}
	}
	return name + ": " + text
}

// all lists the sandboxes but those that are being deleted or masked.
func all(store config.Store) ([]string, error) {
	names, err := store.Names()
	return slices.DeleteFunc(names, func(name string) bool {
		s, err := store.Load(name)
		var masked *config.MaskedError
		return errors.As(err, &masked) || err == nil && s.State == config.StateDeleting
	}), err
}

// unique leaves out what was named before.
func unique(names []string) []string {
	var list []string
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// maxNamed bounds what is kept of a line without an end, in bytes.
const maxNamed = 1 << 16

// named passes lines on with the name of the sandbox that they are about.
type named struct {
	name string
	mu   *sync.Mutex // of all that write to out
	out  io.Writer
	rest []byte
}

func (n *named) Write(text []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rest = append(n.rest, text...)
	for {
		line, rest, whole := bytes.Cut(n.rest, []byte("\n"))
		if !whole && len(n.rest) <= maxNamed {
			return len(text), nil
		}
		if _, err := fmt.Fprintf(n.out, "%s: %s\n", n.name, line); err != nil {
			return 0, err
		}
		n.rest = rest
	}
}
