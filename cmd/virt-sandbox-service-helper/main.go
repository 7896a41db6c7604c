// SPDX-License-Identifier: Apache-2.0

// Command virt-sandbox-service-helper is what the units of containers call: prepare, run, stop.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/opencontainers/selinux/go-selinux"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/cgroup"
	"github.com/virt-sandbox/virt-sandbox/internal/journalrelay"
	"github.com/virt-sandbox/virt-sandbox/internal/launch"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/notify"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
)

const usage = `Usage: virt-sandbox-service-helper [-c URI] VERB NAME

Units made by virt-sandbox-service-generator call this program; administrators
use virt-sandbox-service(1).

  prepare NAME   make or complete the private content
  run NAME       start the container, report READY=1 to NOTIFY_SOCKET when its
                 units are up, and stay until it ends
  reload NAME    make its units read their configuration anew
  stop NAME      shut the container down; not when systemd calls it since the
                 process of run was killed: the container goes on then
  clean NAME     the same, as the last thing that a unit does; one that lost the
                 process of run is started again to take the container over
  thaw NAME      let a container that was halted for a copy run on when standard
                 input ends
  explain NAME   fail with what is wrong with its config; take over a container
                 that is up all the same

  -c, --connect URI
                 libvirt connection URI; lxc:/// by default
      --version  show the version
  -h, --help     show how the program is used
`

// garbageLimit is how many bytes the heap has before garbage is collected.
const garbageLimit = 64 << 20

func main() {
	unix.Umask(0o022) // As its units have it.
	// The death signal that a launcher asks for is a property of the first thread, where it is to be ended too.
	runtime.LockOSThread()
	// It lives for a moment, and is started for each of hundreds: it need not collect garbage before there is much.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(garbageLimit)
	err := run()
	var mistake usageError
	if errors.As(err, &mistake) {
		fmt.Fprintf(os.Stderr, "virt-sandbox-service-helper: %s; see --help\n", printable.Line(err.Error()))
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "virt-sandbox-service-helper: %s\n", flagname.Text(err))
		var failure *helper.UnitError
		if errors.As(err, &failure) && failure.Journal != "" {
			fmt.Fprintln(os.Stderr, failure.Journal)
		}
		os.Exit(1)
	}
}

// usageError is a mistake in the command line.
type usageError struct{ error }

func run() error {
	flags, uri, showVersion := options()
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			os.Exit(0)
		}
		return usageError{errors.New(strings.Replace(err.Error(), "unknown flag:", "unknown option", 1))}
	}
	if *showVersion {
		fmt.Print(version.Line("virt-sandbox-service-helper"))
		return nil
	}
	if flags.NArg() != 2 {
		return usageError{errors.New("name a verb and a sandbox")}
	}
	verb, name := flags.Arg(0), flags.Arg(1)
	if err := helper.RequireRoot(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer stop()
	o := helper.Options{
		URI: *uri, Console: os.Stdout,
		Warn: func(format string, args ...any) { fmt.Fprintln(os.Stderr, flagname.Sprintf(format, args...)) },
	}
	if verb == "prepare" || verb == "run" {
		o.Progress = extendTimeout{}
	}
	if verb == "stop" || verb == "clean" {
		o.ConnectTimeout = 10 * time.Second
	}
	m := helper.New(o)
	switch verb {
	case "prepare":
		return m.Prepare(ctx, name)
	case "run":
		err := runContainer(ctx, m, name)
		if err != nil {
			// The last line of the journal is what a service said last, which need not be why.
			reason, _, _ := strings.Cut(flagname.Text(err), "\n")
			notify.Status(reason)
		}
		return err
	case "reload":
		return m.Reload(ctx, name)
	case "stop", "clean":
		return m.End(ctx, name, verb == "clean")
	case "thaw":
		if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
			return fmt.Errorf("wait for the end of the copy: %w", err)
		}
		return m.Thaw(ctx, name)
	case "explain":
		if m.IsUnwatched(name) {
			return runContainer(ctx, m, name)
		}
		s, err := m.Store.Load(name)
		if err != nil {
			return err
		}
		return fmt.Errorf(
			"the config of %s can be used, and its unit is %s; run systemctl daemon-reload and start that",
			name,
			s.HostUnit(),
		)
	}
	return usageError{fmt.Errorf("unknown verb %q", verb)}
}

func options() (flags *pflag.FlagSet, uri *string, showVersion *bool) {
	flags = pflag.NewFlagSet("virt-sandbox-service-helper", pflag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	return flags, flags.StringP("connect", "c", helper.DefaultURI, ""), flags.Bool("version", false, "")
}

// extendTimeout passes the progress of long work on to systemd, which would take silence for a hang (sd_notify(3)).
type extendTimeout struct{}

func (extendTimeout) Write(text []byte) (int, error) {
	if !bytes.ContainsRune(text, '\x1b') { // it clears a line of a terminal
		notify.Working(string(text))
	}
	return len(text), nil
}

func runContainer(ctx context.Context, m *helper.Manager, name string) error {
	if !isUnit() {
		// Nobody reads standard output.
		m.Console = &consoleLog{manager: m, name: name}
	}
	running, err := m.Start(ctx, name, notify.Status)
	if errors.Is(err, helper.ErrAlreadyRunning) && !isUnit() {
		m.Warn("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	if err := handOver(ctx, m, name, running); err != nil {
		// Nobody would watch it.
		return errors.Join(err, m.Stop(context.WithoutCancel(ctx), name))
	}
	return nil
}

// consoleLog opens a container's log when there is something to write: a start that fails before leaves none, and its
// file is no reason why content cannot be unmounted.
type consoleLog struct {
	manager *helper.Manager
	name    string
}

func (l *consoleLog) Write(text []byte) (int, error) {
	if len(text) == 0 {
		return 0, nil
	}
	file, err := l.manager.ConsoleLog(l.name)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.Write(text)
}

// handOver reports readiness and becomes the monitor; it returns only when that fails.
func handOver(ctx context.Context, m *helper.Manager, name string, running *helper.Running) error {
	program, err := programs.Find(running.Monitor())
	if err != nil {
		return err
	}
	if !isUnit() {
		// Whoever launched us may go away and take its terminal along.
		console, err := m.ConsoleLog(name)
		if err != nil {
			return err
		}
		if err := launch.Detach(console); err != nil {
			return err
		}
	}
	if err := notify.Ready(running.Summary()); err != nil {
		return err
	}
	if err := holdCgroups(running); err != nil {
		m.Warn("%v", err)
	}
	var journal *journalrelay.Source
	if isUnit() {
		if journal, err = running.Journal(); err != nil {
			m.Warn("%v", err)
		}
	}
	return monitor.Become(ctx, program, running.Files(), running.ShutdownSignal(),
		running.Sandbox.OnFailure != config.OnFailureIgnore, journal)
}

// holdCgroups keeps the SELinux label of the container's cgroups; see cgroup.Groups.Hold.
func holdCgroups(running *helper.Running) error {
	if running.Init == nil || !selinux.GetEnabled() {
		return nil
	}
	groups, err := cgroup.Host().Of(proc.PIDOf(running.Init))
	if err != nil {
		return fmt.Errorf("find the container's cgroups: %w", err)
	}
	return groups.Hold(running.Sandbox.Name)
}

// isUnit reports whether systemd runs this process for a unit (systemd.exec(5)).
func isUnit() bool { return os.Getenv("INVOCATION_ID") != "" }
