// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/foreach"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/staleness"
)

const needsRestartText = `Tell which running sandboxes are older than the host: processes that execute
files below /usr which the host has replaced or removed since, as an upgrade of
a library does, with the packages of these files; a host's /etc that has changed
since the start; and lines of the config that count from the next start on.

With --restart they are restarted, one after the other or N at a time: the units
inside where nothing else is old, nor their unit files, else the sandbox. The
first that does not come back ends it. With --auto that becomes of each what
auto-restart= of its config says: it is restarted in its window, or told of
once, or left out.

list shows what needed a restart when this verb, or the timer that runs it with
--auto, last looked.

The exit status is 1 when one needs a restart, or could not be looked at.`

func needsRestartCommand(manager newManagerFunc) *cobra.Command {
	var all, asJSON, restart, auto bool
	jobs := 1
	command := &cobra.Command{
		Use:   "needs-restart [--restart | --auto] [-j N] NAME… | --all",
		Short: "Tell which sandboxes run what the host has replaced",
		Long:  needsRestartText,
		Example: `  virt-sandbox-service needs-restart --all
  virt-sandbox-service needs-restart --all --restart -j 4`,
		Args: func(_ *cobra.Command, args []string) error {
			if jobs < 1 {
				return fmt.Errorf("--jobs takes a number from 1, not %d", jobs)
			}
			if auto && (restart || asJSON) {
				return errors.New("--auto goes with neither --restart nor --json")
			}
			return namesOrAll(args, all)
		},
		ValidArgsFunction: completeManyNames,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			names, err := (&many{all: all}).chosen(m.Store, args)
			if err != nil {
				return err
			}
			if auto {
				return autoRestart(c.Context(), m, names, jobs)
			}
			reports, failed := staleOf(c.Context(), m, names, all)
			if asJSON {
				err = printJSON(reports)
			}
			var stale []*staleness.Report
			for _, r := range reports {
				if r.Error != "" || !r.IsStale() {
					continue
				}
				if stale = append(stale, r); !asJSON {
					printStaleness(os.Stdout, r)
				}
			}
			if restart && err == nil {
				err = restartStale(c.Context(), m, stale, jobs, func(*staleness.Report) error { return nil })
				stale = nil
			}
			if err == nil && (failed || len(stale) > 0) {
				return exitError(statusFailure)
			}
			return err
		},
	}
	flags := command.Flags()
	flags.BoolVar(&all, "all", false, "all sandboxes that run, in place of NAMEs")
	flags.BoolVar(&asJSON, "json", false, "print a JSON array, of all that were looked at")
	flags.BoolVar(&restart, "restart", false, "restart what needs it")
	flags.BoolVar(&auto, "auto", false, "do what auto-restart= of each config says")
	flags.IntVarP(&jobs, "jobs", "j", jobs, "restart at most `N` sandboxes at a time")
	return command
}

// staleOf looks at sandboxes. With all, those that do not run are left out.
func staleOf(
	ctx context.Context, m *helper.Manager, names []string, all bool,
) (reports []*staleness.Report, failed bool) {
	found := lookAtAll(ctx, m, names)
	for i, name := range names {
		r, err := found[i].Report, found[i].err
		if errors.Is(err, staleness.ErrNotRunning) && all {
			continue
		}
		if err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, flagname.Text(err)))
			r = &staleness.Report{Sandbox: name, Error: flagname.Text(err)}
		}
		reports = append(reports, r)
	}
	return reports, failed
}

// looked is what a look at a sandbox has found.
type looked struct {
	*staleness.Report
	isNew bool // it is another reason for a restart than was noted before
	err   error
}

// lookAt tells what of a sandbox is old, and notes it for list.
func lookAt(ctx context.Context, m *helper.Manager, name string) looked {
	r, err := staleness.Host{Root: m.Host.Root, Configs: m.Store, Packages: m.Host.Packages}.Of(ctx, name)
	if err != nil {
		return looked{err: err}
	}
	return looked{r, places.NoteStale(places.Root(m.Host.Root).Of(name).Run(), r.Reason()), nil}
}

// lookAtAll looks at several, as many at a time as there are CPUs: it is reading what the kernel has of processes.
func lookAtAll(ctx context.Context, m *helper.Manager, names []string) []looked {
	found := make(map[string]looked, len(names))
	var lock sync.Mutex
	foreach.Do(ctx, names, runtime.NumCPU(), func(ctx context.Context, name string) error {
		l := lookAt(ctx, m, name)
		lock.Lock()
		found[name] = l
		lock.Unlock()
		return nil
	}, func(name string, err error) {
		if err != nil {
			lock.Lock()
			found[name] = looked{err: err}
			lock.Unlock()
		}
	})
	var list []looked
	for _, name := range names {
		list = append(list, found[name])
	}
	return list
}

func printStaleness(out io.Writer, r *staleness.Report) {
	fmt.Fprintf(out, "%s:\n", r.Sandbox)
	for _, p := range r.Processes {
		where := ""
		if p.Unit != "" {
			where = " of " + p.Unit
		}
		from := ""
		if len(p.Packages) > 0 {
			from = " (" + strings.Join(p.Packages, ", ") + ")"
		}
		files := strings.Join(p.Files[:min(len(p.Files), maxShownFiles)], ", ")
		if more := len(p.Files) - maxShownFiles; more > 0 {
			files += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(out, "  process %d %s%s: %s%s\n", p.PID, p.Name, where, files, from)
	}
	if r.EtcIsOld {
		fmt.Fprintln(out, "  the host's /etc has changed since the start")
	}
	if len(r.Config) > 0 {
		fmt.Fprintf(out, "  its config has changed: %s\n", strings.Join(r.Config, "; "))
	}
}

// maxShownFiles bounds how many files of a process a person is shown.
const maxShownFiles = 3

// restartStale restarts some at a time, and begins no other once one has not come back. may is asked before each.
func restartStale(
	ctx context.Context, m *helper.Manager, stale []*staleness.Report, jobs int, may func(*staleness.Report) error,
) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	reports := make(map[string]*staleness.Report)
	var names []string
	for _, r := range stale {
		reports[r.Sandbox], names = r, append(names, r.Sandbox)
	}
	var lines sync.Mutex
	failed := error(nil)
	foreach.Do(ctx, names, jobs, func(ctx context.Context, name string) error {
		if err := may(reports[name]); err != nil {
			return err
		}
		return restartOne(ctx, m, reports[name], &named{name: name, mu: &lines, out: os.Stderr})
	}, func(name string, err error) {
		switch {
		case err == nil:
			fmt.Fprintf(os.Stderr, "Restarted %s\n", name)
		case errors.Is(err, errLater), errors.Is(err, errElsewhere), errors.Is(err, hostsystemd.ErrReplaced):
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, err.Error()))
		case failed == nil:
			failed = err
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s; no other is restarted\n", about(name, flagname.Text(err)))
			stop(errNotBegun)
		case !errors.Is(err, errNotBegun):
			fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", about(name, flagname.Text(err)))
		}
	})
	if failed != nil {
		return errReported
	}
	return nil
}

// errElsewhere is why one that needed a restart gets none.
var errElsewhere = errors.New("another command has restarted or stopped it meanwhile")

// errNotBegun is why what comes after a failure is not restarted.
var errNotBegun = errors.New("not restarted, since another did not come back")

// restartOne restarts the units inside where that makes everything new, and else the container.
func restartOne(ctx context.Context, m *helper.Manager, r *staleness.Report, stderr io.Writer) error {
	// Those before it may have taken long: one that a person has restarted or stopped since is left alone.
	now := lookAt(ctx, m, r.Sandbox)
	if errors.Is(now.err, staleness.ErrNotRunning) || now.err == nil && !now.IsStale() {
		return errElsewhere
	}
	// One that has begun is brought to its end.
	ctx = context.WithoutCancel(ctx)
	s, err := m.Store.Load(r.Sandbox)
	if err != nil {
		return err
	}
	if units := r.Units(s.Units); len(units) > 0 {
		done, err := restartUnits(ctx, m, s, units)
		if err != nil || done {
			return err
		}
	}
	return restart(ctx, m, r.Sandbox, stderr)
}

// restartUnits restarts units inside, unless their files were replaced too: only a start makes for the container what
// new ones ask for.
func restartUnits(ctx context.Context, m *helper.Manager, s *config.Sandbox, units []string) (done bool, err error) {
	// Who is inside must not have the others wait for ever.
	ctx, cancel := context.WithTimeout(ctx, s.Limits.StartTimeout)
	defer cancel()
	show := append([]string{"show", "--property=NeedDaemonReload", "--value", "--"}, units...)
	said, err := systemctlInside(ctx, m, s.Name, show...)
	if err != nil || strings.Contains(said, "yes") {
		return false, err
	}
	_, err = systemctlInside(ctx, m, s.Name, append([]string{"restart", "--"}, units...)...)
	// Also what did not come back is not old any more.
	return true, cmp.Or(err, lookAt(ctx, m, s.Name).err)
}
