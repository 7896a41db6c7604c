// SPDX-License-Identifier: Apache-2.0

// Command virt-sandbox-service makes and drives containers of packaged services.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/cmd/internal/usage"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// Exit statuses: what a command inside returns passes through execute.
const (
	statusFailure = 1
	statusUsage   = 2
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// Unwrap returns what is wrong.
func (e usageError) Unwrap() error { return e.error }

// exitError carries the exit status of a command that ran.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	// What is made for a sandbox has the modes that it needs, whatever files of the caller's get.
	unix.Umask(0o022)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	// A second signal ends it at once, whatever it waits for.
	context.AfterFunc(ctx, stop)
	err := root().ExecuteContext(ctx)
	stop()
	var exit exitError
	var usage usageError
	var option *helper.OptionError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case errors.As(err, &usage), errors.As(err, &option):
		fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
		os.Exit(statusUsage)
	case errors.Is(err, errReported):
		os.Exit(statusFailure)
	default:
		fmt.Fprintf(os.Stderr, "virt-sandbox-service: %s\n", flagname.Text(err))
		os.Exit(statusFailure)
	}
}

// errReported is a failure whose reason another program has printed already.
var errReported = errors.New("failed")

func root() *cobra.Command {
	uri := os.Getenv("LIBVIRT_DEFAULT_URI")
	if uri == "" {
		uri = helper.DefaultURI
	}
	command := &cobra.Command{
		Use:   "virt-sandbox-service [-c URI] VERB [OPTION]… [NAME]…",
		Short: "Run many instances of a packaged service, each in its own secure container",
		Long: `Run many instances of a packaged service, each in its own secure container.

A sandbox is a Linux container, run by libvirt's LXC driver, whose root is the
host's, read-only. What the packages of its units own below /etc and /var is
private to it: it is changed there without the host or another sandbox seeing
it. An update of the host's packages updates every sandbox's programs.

Root is needed, but for list, status, logs and show (WITHOUT ROOT).`,
		Example: `  virt-sandbox-service create -u httpd.service web1
  virt-sandbox-service start web1
  virt-sandbox-service execute web1 -- systemctl status httpd
  virt-sandbox-service connect web1
  virt-sandbox-service stop web1
  virt-sandbox-service delete web1`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{usage.UnknownVerb(c, args[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	flags := command.PersistentFlags()
	flags.StringVarP(&uri, "connect", "c", uri, "libvirt connection `URI`; only lxc:/// is supported")
	flags.BoolP("help", "h", false, "show how a verb is used")
	command.Flags().Bool("version", false, "show the version")
	command.Version = version.String()
	usage.Install(command)
	command.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return usageError{usage.Option(c, err)} })
	// reader is the manager of verbs that anybody can use as far as files allow.
	reader := func() (*helper.Manager, error) {
		if err := virt.CheckURI(uri); err != nil {
			return nil, usageError{err}
		}
		return newManager(uri), nil
	}
	manager := func() (*helper.Manager, error) {
		m, err := reader()
		if err != nil {
			return nil, err
		}
		return m, helper.RequireRoot()
	}
	command.AddCommand(
		createCommand(manager),
		cloneCommand(manager),
		exportCommand(manager),
		importCommand(manager),
		startCommand(manager),
		stopCommand(manager),
		deleteCommand(manager),
		restartCommand(manager),
		reloadCommand(manager),
		killCommand(manager),
		pauseCommand(manager),
		resumeCommand(manager),
		enableCommand(manager),
		disableCommand(manager),
		upgradeCommand(manager),
		editCommand(manager),
		setPropertyCommand(manager),
		logsCommand(reader),
		statusCommand(reader),
		showCommand(reader),
		listCommand(reader),
		topCommand(manager),
		checkCommand(manager),
		needsRestartCommand(manager),
		connectCommand(manager),
		executeCommand(manager),
		logrotateCommand(manager),
	)
	for _, verb := range command.Commands() {
		nameMistakes(verb)
		equateUnits(verb)
	}
	addStandardCommands(command)
	completeOptions(command)
	return command
}

// nameMistakes has what is wrong with the arguments of a verb name the verb, and say how it is used, unless it is a
// usageError already.
func nameMistakes(verb *cobra.Command) {
	check := verb.Args
	if check == nil {
		return
	}
	verb.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		var complete usageError
		if err == nil || errors.As(err, &complete) {
			return err
		}
		return usageError{usage.Mistake(c, err)}
	}
}

// equateUnits has --unit be --unitfile, and the other way round, where a verb has one of them: -u is both.
func equateUnits(verb *cobra.Command) {
	other := map[string]string{"unit": "unitfile"}
	if verb.Flags().Lookup("unit") != nil {
		other = map[string]string{"unitfile": "unit"}
	}
	verb.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(other[name], name))
	})
}

// addStandardCommands adds cobra's own, whose mistakes in the command line are reported as ours.
func addStandardCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch command.Name() {
		case "help":
			command.Args = func(_ *cobra.Command, args []string) error {
				if verb, _, err := root.Find(args); err != nil || (verb == root && len(args) > 0) {
					return usageError{usage.UnknownVerb(root, args[0])}
				}
				return nil
			}
		case "completion":
			describeCompletion(command)
		}
	}
}

// shells are those that there is a completion for, with where it is installed by hand.
var shells = map[string]string{
	"bash": "/usr/share/bash-completion/completions/virt-sandbox-service",
	"zsh":  "/usr/share/zsh/vendor-completions/_virt-sandbox-service",
	"fish": "/usr/share/fish/vendor_completions.d/virt-sandbox-service.fish",
}

// describeCompletion has cobra's command speak of Linux and of the shells that we install completions for.
func describeCompletion(command *cobra.Command) {
	command.Use, command.Short = "completion SHELL", "Print what a shell needs to complete arguments"
	command.Long = `Print what bash, zsh or fish needs to complete the arguments of
virt-sandbox-service. Packages and make install put it where the shell looks.`
	command.Example = "  . <(virt-sandbox-service completion bash)"
	command.Args = func(*cobra.Command, []string) error { return errors.New("name a shell: bash, zsh or fish") }
	command.RunE = func(c *cobra.Command, args []string) error { return c.Args(c, args) }
	nameMistakes(command)
	for _, shell := range command.Commands() {
		file, known := shells[shell.Name()]
		if !known {
			command.RemoveCommand(shell)
			continue
		}
		shell.Use, shell.Short = shell.Name(), "Print what "+shell.Name()+" needs to complete arguments"
		shell.Long = "Print what " + shell.Name() + " needs to complete arguments, for the file\n" + file + "."
		shell.Example = "  virt-sandbox-service completion " + shell.Name() + " >\\\n    " + file
		shell.Args = noNames
		nameMistakes(shell)
	}
}

// connectTimeout is how long libvirt may take to answer whoever waits for a verb.
const connectTimeout = 30 * time.Second

func newManager(uri string) *helper.Manager {
	m := helper.New(helper.Options{
		URI: uri, ConnectTimeout: connectTimeout, Console: os.Stderr, FilesAlone: os.Geteuid() != 0,
		Warn: func(format string, args ...any) {
			fmt.Fprintln(os.Stderr, "virt-sandbox-service: "+flagname.Sprintf(format, args...))
		},
	})
	if term.IsTerminal(int(os.Stderr.Fd())) {
		m.SetProgress(os.Stderr)
	}
	return m
}

// newManagerFunc makes the manager of a verb, after what can be refused at once.
type newManagerFunc func() (*helper.Manager, error)

// noNames takes no argument.
func noNames(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("it takes options only, and not %q", args[0])
	}
	return nil
}

// oneName takes exactly one argument, the sandbox.
func oneName(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return errors.New("name a sandbox")
	case 1:
		return checkNames(args)
	}
	return fmt.Errorf("name one sandbox, not %d", len(args))
}
