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

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/foreach"
)

// many is how a verb works on several sandboxes.
type many struct {
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
	return nil
}

// someNames takes one name at least.
func someNames(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name a sandbox")
	}
	return nil
}

// each carries a verb out. Of one sandbox that is named it says what went wrong; of several a line for each, with the
// verb's past tense where it went well, and fails when one of them did. act writes warnings to the writer that it gets.
func (m *many) each(ctx context.Context, manager *helper.Manager, names []string, past string,
	act func(ctx context.Context, name string, stderr io.Writer) error) error {
	if len(names) == 1 && !m.all {
		return act(ctx, names[0], os.Stderr)
	}
	if m.all {
		var err error
		if names, err = all(manager.Store); err != nil {
			return err
		}
	}
	names = unique(names)
	// On a terminal the lines tell how far it is; of several copies at once no other progress could be shown.
	manager.SetProgress(nil)
	var lines sync.Mutex
	failed := false
	err := manager.BatchReloads(ctx, func() {
		foreach.Do(ctx, names, m.jobs, func(ctx context.Context, name string) error {
			return act(ctx, name, &named{name: name, mu: &lines, out: os.Stderr})
		}, func(name string, err error) {
			if err == nil {
				fmt.Printf("%s %s\n", past, name)
				return
			}
			failed = true
			if !errors.Is(err, errReported) {
				lines.Lock()
				defer lines.Unlock()
				fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, flagname.Text(err)))
			}
		})
	})
	if err == nil && failed {
		return errReported
	}
	return err
}

// about puts a name before what is said of it, unless that begins with it.
func about(name, text string) string {
	for _, beginning := range []string{": ", " is ", " has "} {
		if strings.HasPrefix(text, name+beginning) {
			return text
		}
	}
	return name + ": " + text
}

// all lists the sandboxes but those that are being deleted.
func all(store config.Store) ([]string, error) {
	names, err := store.Names()
	return slices.DeleteFunc(names, func(name string) bool {
		s, err := store.Load(name)
		return err == nil && s.State == config.StateDeleting
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
		if !whole {
			return len(text), nil
		}
		if _, err := fmt.Fprintf(n.out, "%s: %s\n", n.name, line); err != nil {
			return 0, err
		}
		n.rest = rest
	}
}
