// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/virt-sandbox/virt-sandbox/internal/limiting"
)

func setPropertyCommand(manager newManagerFunc) *cobra.Command {
	var several many
	var runtime bool
	command := &cobra.Command{
		Use:   "set-property [--runtime] (NAME… | --all) KEY=VALUE…",
		Short: "Change limits of sandboxes, also of those that run",
		Long: `Change limits of [limits] without a restart: cpus, memory, pids, and the sizes
run-size, tmp-size and shm-size, with values as virt-sandbox.config(5) has them.
An empty value is the default. All of them change or, if one cannot, none.

The config is changed too, its comments stay. What it cannot say, as it is a
link, a template or a package's, or as a drop-in says it, is written into
NAME.sandbox.d/set-property.conf in /etc/libvirt-sandbox/services. With
--runtime no file changes: the limit is gone when the sandbox stops or restarts.

Where less memory is allowed than is in use, the kernel may refuse or, with
cgroup version 2, end processes inside. A file system in memory cannot become
smaller than what it holds. Other keys count from the next start on; edit
changes them.`,
		Example: `  virt-sandbox-service set-property web1 memory=1G cpus=1.5
  virt-sandbox-service set-property --runtime web1 pids=8192
  virt-sandbox-service set-property web1 tmp-size=2G
  virt-sandbox-service set-property web1 memory=`,
		Args: func(c *cobra.Command, args []string) error {
			names, settings, err := namesAndSettings(args)
			switch {
			case err != nil:
				return err
			case len(settings) == 0:
				return errors.New("say what to set, as in memory=1G")
			}
			return several.check(c, names)
		},
		ValidArgsFunction: completeSettings,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			names, settings, err := namesAndSettings(args)
			if err != nil {
				return err
			}
			setter := limiting.Setter{Root: m.Host.Root, Editor: m.Editor()}
			return several.each(c.Context(), m, names, "Changed", func(ctx context.Context, d *done, _ io.Writer) error {
				if runtime {
					d.text = d.Name + " has this until it stops; without --runtime, its config would have it too\n"
				}
				return setter.Set(ctx, d.Name, settings, runtime)
			})
		},
	}
	several.addFlags(command, true)
	command.Flags().BoolVar(&runtime, "runtime", false, "of running sandboxes alone, until they stop; configs stay as "+
		"they are")
	return command
}

// namesAndSettings tells the two kinds of arguments apart: no name has an equals sign.
func namesAndSettings(args []string) (names []string, settings []limiting.Setting, err error) {
	for _, arg := range args {
		if !strings.Contains(arg, "=") {
			names = append(names, arg)
			continue
		}
		setting, err := limiting.Parse(arg)
		if err != nil {
			// It says all; how the verb is used would only hide that.
			return nil, nil, usageError{fmt.Errorf("set-property: %w", err)}
		}
		if slices.ContainsFunc(settings, func(s limiting.Setting) bool { return s.Key == setting.Key }) {
			return nil, nil, errors.New(setting.Key + "= is given twice")
		}
		settings = append(settings, setting)
	}
	return names, settings, nil
}

// completeSettings offers sandboxes, and after the first of them keys too.
func completeSettings(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, directive := completeManyNames(c, args, typed)
	if len(args) == 0 {
		return names, directive
	}
	var keys []string
	for _, key := range limiting.Keys() {
		keys = append(keys, key+"=")
	}
	if keys, _ = offer(keys...)(c, args, typed); len(keys) > 0 && len(names) == 0 {
		directive |= cobra.ShellCompDirectiveNoSpace
	}
	return slices.Concat(names, keys), directive
}
