// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
)

// problemError stands for a sandbox that could not be looked at.
const problemError contentcheck.Problem = "error"

// neverStarted reports whether a sandbox has a config and no content yet, as one whose config was put in place by hand.
func neverStarted(store config.Store, name string) bool {
	s, err := store.Load(name)
	if err != nil {
		return false
	}
	_, err = os.Lstat(cmp.Or(s.Image, s.Content))
	return errors.Is(err, fs.ErrNotExist)
}

const checkText = `Report missing, foreign or mislabelled files of sandboxes, running or not. Each
line is one finding: the path, a word for its kind, and what to do.

  config    the config cannot be used
  unit      the unit file on the host is missing or another's
  image     the file of an image or disk is gone or too short
  content   the content is gone or another's
  missing   what was put into the content is gone
  type      what was put into the content is of another type by now
  label     a file has not the SELinux label that the config gives it; the
            sandbox cannot use it
  depth     a directory lies too deep to be looked into
  inside    a unit inside has failed
  leftover  an interrupted create, clone, import, start or delete has left it

Labels are checked where SELinux is on. Modified files are not reported. Nothing
is changed without --fix.

The exit status is 1 when something was found that is not fixed, else 0.`

func checkCommand(manager newManagerFunc) *cobra.Command {
	var run check
	command := &cobra.Command{
		Use:   "check NAME… | --all",
		Short: "Report missing, foreign or mislabelled files of sandboxes",
		Long:  checkText,
		Example: `  virt-sandbox-service check --all
  virt-sandbox-service check --fix web1`,
		Args: func(_ *cobra.Command, args []string) error {
			return namesOrAll(args, run.all)
		},
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			return run.names(c.Context(), m, args)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&run.all, "all", false, "check all sandboxes, and look for leftovers of those that have no config")
	flags.BoolVar(&run.fix, "fix", false, "give files with another label the sandbox's")
	flags.BoolVar(&run.asJSON, "json", false, "print a JSON array; a sandbox that could not be "+
		"checked is of the problem error")
	return command
}

// check is one run of the verb.
type check struct {
	all, fix, asJSON bool
	failed           bool // one could not be looked at
}

func (r *check) names(ctx context.Context, m *helper.Manager, names []string) error {
	if r.all {
		var err error
		if names, err = namesOfAll(m.Store, m.CheckNames); err != nil {
			return err
		}
	}
	var list []contentcheck.Finding
	for _, name := range names {
		list = append(list, r.one(ctx, m, name)...)
		if ctx.Err() != nil {
			break
		}
	}
	if r.asJSON {
		if err := printJSON(list); err != nil {
			return err
		}
	}
	if r.failed || slices.ContainsFunc(list, func(f contentcheck.Finding) bool { return !f.Fixed }) {
		return exitError(statusFailure)
	}
	return nil
}

// one checks one sandbox and prints what is found, but for JSON.
func (r *check) one(ctx context.Context, m *helper.Manager, name string) []contentcheck.Finding {
	findings, err := m.Check(ctx, name, r.fix)
	switch {
	case err != nil && r.all && errors.Is(err, config.ErrNotFound): // it has been deleted just now
	case err != nil:
		r.failed = true
		fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
		if r.asJSON {
			findings = append(findings, contentcheck.Finding{Sandbox: name, Problem: problemError, Error: flagname.Text(err)})
		}
	case len(findings) == 0 && !r.all && !r.asJSON && neverStarted(m.Store, name):
		fmt.Fprintf(os.Stderr, "%s has no content yet; its first start makes it\n", name)
	}
	if !r.asJSON {
		for _, f := range findings {
			fmt.Println(f)
		}
	}
	return findings
}
