// SPDX-License-Identifier: Apache-2.0

// Command virt-sandbox runs one command in a one-shot sandbox.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/flagname"
	"github.com/virt-sandbox/virt-sandbox/cmd/internal/optiontext"
	"github.com/virt-sandbox/virt-sandbox/cmd/internal/usage"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/stdin"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
	"github.com/virt-sandbox/virt-sandbox/sandbox"
)

// exitError carries the exit status, of the command or of a failure that has been told.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	// What is made for a sandbox has the modes that it needs, whatever files of the caller's get.
	unix.Umask(0o022)
	err := root().ExecuteContext(context.Background())
	var exit exitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		os.Exit(int(exit))
	default:
		fmt.Fprintf(os.Stderr, "virt-sandbox: %s\n", flagname.Text(err))
		os.Exit(int(sandbox.StatusFailure))
	}
}

// flags are the options as they are written.
type flags struct {
	sandbox.Options
	env, mounts, includes []string
	show                  []string
	includeFile           string
	networks              []string
	security, memory      string
	verbose, debug        bool
	completion            string
}

func root() *cobra.Command {
	var f flags
	command := &cobra.Command{
		Use:   "virt-sandbox [OPTION]… [--] COMMAND [ARG]…",
		Short: "Run a command in a one-shot sandbox",
		Long: `The sandbox is a container of libvirt, gone when the command has ended.
It sees the host's /usr and /etc, read-only, the home directory of an ordinary
user, a /tmp of its own, no other processes and no network but loopback, unless
it is given more with --show, --read-write, -m and -N. Output, exit status and
terminal behave as if there were no sandbox. Options end at COMMAND.`,
		Example: `  virt-sandbox /bin/sh
  virt-sandbox -N dhcp curl -s https://example.org/
  virt-sandbox -S nobody -- sort <input >output
  virt-sandbox --read-write /srv/build -N host --timeout 10m make -C /srv/build`,
		SilenceUsage: true, SilenceErrors: true,
		Version: version.String(),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 && f.completion == "" {
				return errors.New("there is no command to run; see virt-sandbox --help")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.completion != "" {
				return complete(c, f.completion)
			}
			o, err := f.options(args)
			if err != nil {
				return err
			}
			return run(c.Context(), o)
		},
	}
	usage.Install(command)
	command.SetFlagErrorFunc(usage.Option)
	uri := os.Getenv("LIBVIRT_DEFAULT_URI")
	if uri == "" {
		uri = sandbox.DefaultURI
	}
	list := command.Flags()
	list.SetInterspersed(false)
	list.SortFlags = false
	list.StringVarP(&f.URI, "connect", "c", uri, "libvirt connection `URI`")
	list.StringVarP(&f.Name, "name", "n", "", "`NAME` of the sandbox's domain; one of its own without")
	list.StringVarP(&f.Root, "root", "r", "", "`DIR` that is the root, read-only, in place of the host's")
	list.StringArrayVarP(&f.mounts, "mount", "m", nil, "`MOUNT`: host-bind:TARGET=SOURCE | host-image:TARGET=FILE | "+
		"ram:TARGET=SIZE, writable | host-show:TARGET=SOURCE | guest-bind:TARGET=PATH; may be repeated")
	list.StringArrayVar(&f.show, "show", nil, "`PATH` of the host that the command sees, read-only; may be repeated")
	list.StringArrayVar(&f.ReadWrite, "read-write", nil, "`DIR` of the host that is writable; may be repeated")
	list.StringArrayVarP(&f.includes, "include", "i", nil, "`TARGET[=SOURCE]`: copy a file of the host to a place in a "+
		"mount of -m host-bind; may be repeated")
	list.StringVarP(&f.includeFile, "includefile", "I", "", "`FILE` with a line for each -i")
	list.StringArrayVar(&f.Disks, "disk", nil, "`DISK`: [file:]TAG=PATH[,format=FORMAT], an image as "+
		"/dev/disk/by-tag/TAG; may be repeated")
	list.StringArrayVarP(&f.networks, "network", "N", nil, "`NETWORK`: private (only loopback) | host (the host's, less "+
		"safe) | an interface, such as dhcp[,source=NET], which may be repeated")
	list.StringVarP(&f.security, "security", "s", "", "`SECURITY`: dynamic[,label=LABEL] | static,label=LABEL | inherit "+
		"| apparmor,profile=NAME")
	list.StringArrayVarP(&f.env, "env", "e", nil, "`NAME=VALUE` in the command's environment; may be repeated")
	list.BoolVarP(&f.Privileged, "privileged", "p", false, "run the command as root, which is the default of root")
	list.StringVarP(&f.User, "switchto", "S", "", "run the command as `USER`, and in a user namespace")
	list.BoolVarP(&f.Shell, "shell", "l", false, "have a root shell beside the command, for virsh console NAME console1")
	list.DurationVar(&f.Timeout, "timeout", 0, "end the command after `TIME`, such as 90s")
	list.StringVar(&f.memory, "memory", "", "`SIZE` of memory that the sandbox may use, such as 512M")
	list.Float64Var(&f.CPUs, "cpus", 0, "`N` CPUs that the sandbox may use, such as 0.5")
	list.StringVar(&f.Kernel.Version, "kernver", "", "`VERSION` of the kernel of a virtual machine")
	list.StringVar(&f.Kernel.Path, "kernpath", "", "kernel `FILE` of a virtual machine")
	list.StringVar(&f.Kernel.Modules, "kmodpath", "", "`DIR` of the kernel modules of a virtual machine")
	list.BoolVarP(&f.debug, "debug", "d", false, "say what is done, and show the sandbox's own console")
	list.BoolVarP(&f.verbose, "verbose", "v", false, "say what is done")
	list.Bool("version", false, "show the version")
	list.BoolP("help", "h", false, "show how the program is used")
	list.StringVar(&f.completion, "completion", "", "print a script for `SHELL`: bash, zsh or fish")
	_ = list.MarkHidden("completion")
	usage.SetGroups(command,
		usage.Group{Title: "What runs", Options: []string{"env", "privileged", "switchto", "shell", "name"}},
		usage.Group{Title: "Storage", Options: []string{
			"show", "read-write", "mount", "include", "includefile", "disk", "root",
		}},
		usage.Group{Title: "Network", Options: []string{"network"}},
		usage.Group{Title: "Security and limits", Options: []string{"security", "timeout", "memory", "cpus"}},
		usage.Group{Title: "Where it runs", Options: []string{"connect", "kernver", "kernpath", "kmodpath"}},
	)
	return command
}

func complete(c *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return c.GenBashCompletionV2(os.Stdout, true)
	case "zsh":
		return c.GenZshCompletion(os.Stdout)
	case "fish":
		return c.GenFishCompletion(os.Stdout, true)
	}
	return fmt.Errorf("--completion %q is not bash, zsh or fish", shell)
}

// options reads what is written.
func (f *flags) options(command []string) (o sandbox.Options, err error) {
	o = f.Options
	o.Command = command
	for _, text := range f.env {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return o, fmt.Errorf("-e %q is not NAME=VALUE", text)
		}
		o.Environment = append(o.Environment, config.Variable{Name: name, Value: value})
	}
	for _, p := range f.show {
		text, err := optiontext.Show(p)
		if err != nil {
			return o, fmt.Errorf("--show %s: %w", p, err)
		}
		f.mounts = append(f.mounts, text)
	}
	for _, text := range f.mounts {
		m, err := config.ParseMount(text)
		if err != nil {
			return o, fmt.Errorf("-m: %w", err)
		}
		o.Mounts = append(o.Mounts, m)
	}
	if f.includeFile != "" {
		lines, err := readLines(f.includeFile)
		if err != nil {
			return o, fmt.Errorf("-I: %w", err)
		}
		f.includes = append(f.includes, lines...)
	}
	for _, text := range f.includes {
		target, source, found := strings.Cut(text, "=")
		if !found {
			source = target
		}
		o.Includes = append(o.Includes, sandbox.Include{Target: target, Source: source})
	}
	if o.Network, o.Interfaces, err = optiontext.Networks(f.networks); err != nil {
		return o, fmt.Errorf("-N: %w", err)
	}
	if f.security != "" {
		if o.Security, err = optiontext.Security(f.security); err != nil {
			return o, fmt.Errorf("-s: %w", err)
		}
	}
	if f.memory != "" {
		if o.Memory, err = config.ParseSize(f.memory); err != nil {
			return o, fmt.Errorf("--memory: %w", err)
		}
	}
	if f.CPUs < 0 {
		return o, fmt.Errorf("--cpus %v is not a share of CPUs", f.CPUs)
	}
	if f.verbose || f.debug {
		o.Note = func(format string, args ...any) {
			fmt.Fprintln(os.Stderr, "virt-sandbox: "+flagname.Sprintf(format, args...))
		}
	}
	if f.debug {
		o.Log = os.Stderr
	}
	return o, nil
}

func readLines(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" && !strings.HasPrefix(text, "#") {
			list = append(list, text)
		}
	}
	return list, lines.Err()
}

func run(ctx context.Context, o sandbox.Options) error {
	signals := make(chan os.Signal, 4)
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2} {
		// As nohup and the shells' trap '' have it. Go tells of SIGHUP and SIGINT alone.
		if signal.Ignored(s) {
			o.Ignored = append(o.Ignored, s)
		} else {
			signal.Notify(signals, s)
		}
	}
	// A reader of ours that has gone is the command's to learn of, and not what ends this program.
	signal.Ignore(unix.SIGPIPE)
	streams := sandbox.Streams{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Signals: signals}
	streams.Terminal = stdin.IsTerminal(os.Stdin, os.Stdout)
	if streams.Terminal {
		if name := os.Getenv("TERM"); name != "" {
			o.Environment = append([]config.Variable{{Name: "TERM", Value: name}}, o.Environment...)
		}
	}
	status, err := sandbox.Run(ctx, o, streams)
	if err != nil {
		fmt.Fprintf(os.Stderr, "virt-sandbox: %s\n", flagname.Text(err))
		if status == 0 {
			status = sandbox.StatusFailure
		}
	}
	if status != 0 {
		return exitError(status)
	}
	return nil
}
