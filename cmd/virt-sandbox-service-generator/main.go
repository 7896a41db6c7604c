// SPDX-License-Identifier: Apache-2.0

// Command virt-sandbox-service-generator makes the units of containers from their configs; systemd runs it at boot and
// at each daemon-reload (systemd.generator(7)).
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/generator"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/version"
	"github.com/virt-sandbox/virt-sandbox/units"
)

const (
	program = "virt-sandbox-service-generator"
	usage   = `Usage: virt-sandbox-service-generator NORMAL-DIR EARLY-DIR LATE-DIR
       virt-sandbox-service-generator --dry-run|--version

systemd runs this program at boot and at each daemon-reload to make the units of
the containers whose configs lie in /etc/libvirt-sandbox/services. A config that
cannot be used is a line in the kernel log and on standard error, and does not
fail the run.

      --dry-run
          Print what would be written, and exit with 1 if a config cannot be used.
      --version
          Show the version.
  -h, --help
          Show how the program is used.
`
)

func main() {
	// A program that ends so soon frees memory by ending.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(256 << 20)
	status, err := run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
	}
	os.Exit(status)
}

func run() (int, error) {
	flags, dryRun, showVersion := options()
	if err := flags.Parse(os.Args[1:]); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return 0, nil
		}
		return 2, fmt.Errorf("%s; see %s --help", strings.Replace(err.Error(), "unknown flag:", "unknown option", 1), program)
	}
	if *showVersion {
		fmt.Print(version.Line(program))
		return 0, nil
	}
	switch {
	case *dryRun && flags.NArg() != 0:
		return 2, fmt.Errorf("--dry-run takes no directories; see %s --help", program)
	case !*dryRun && flags.NArg() != 3:
		return 2, fmt.Errorf("it takes three directories, NORMAL-DIR EARLY-DIR LATE-DIR, not %d; see %s --help",
			flags.NArg(), program)
	}
	g := generator.Generator{Store: config.OpenStore(), UnitDir: units.Dir, UnitPath: units.Path()}
	if !g.Store.Tree().Exists() {
		return 0, nil
	}
	var err error
	if g.Helper, err = programs.Find("virt-sandbox-service-helper"); err != nil {
		return 1, err
	}
	if *dryRun {
		return show(g)
	}
	directories, err := generator.OpenDirectories(flags.Arg(0), flags.Arg(1), flags.Arg(2))
	if err != nil {
		return 1, err
	}
	defer directories.Close()
	for _, problem := range g.Run(directories) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, problem)
		generator.LogToKernel(program, problem)
	}
	return 0, nil
}

func options() (flags *pflag.FlagSet, dryRun, showVersion *bool) {
	flags = pflag.NewFlagSet(program, pflag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	return flags, flags.Bool("dry-run", false, ""), flags.Bool("version", false, "")
}

func show(g generator.Generator) (int, error) {
	var files generator.DryRun
	g.Strict = true
	problems := g.Run(&files)
	if err := files.Print(os.Stdout); err != nil {
		return 1, err
	}
	for _, problem := range problems {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, problem)
	}
	return min(len(problems), 1), nil
}
