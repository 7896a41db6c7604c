// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

const exportText = `Write config and content of a sandbox to an archive, for import on another host:
to FILE, which only root can read and which is replaced when the archive is
complete, or to standard output.

The archive is a tar with the extensions of pax(1): owners are numbers, extended
attributes, SELinux labels and hard links are kept, holes of files are written
as zeros, which --zstd makes small. Sockets are left out.

The archive contains private keys and passwords. Protect it.

A sandbox that is running is refused, unless --freeze allows to halt all its
processes until all has been taken, as with clone.

With --output-dir each NAME has an archive of its own in that directory:
NAME.tar, or NAME.tar.zst. One that fails leaves that of the time before as it
is, and the others are written.`

func exportCommand(manager newManagerFunc) *cobra.Command {
	var options helper.ExportOptions
	var several many
	var dir string
	command := &cobra.Command{
		Use:   "export NAME [FILE] | -o DIR (NAME… | --all)",
		Short: "Write sandboxes to archives",
		Long:  exportText,
		Example: `  virt-sandbox-service export --zstd web1 web1.tar.zst
  virt-sandbox-service export web1 | ssh host2 virt-sandbox-service import
  virt-sandbox-service export --freeze --zstd --output-dir /backup --all`,
		Args: func(c *cobra.Command, args []string) error {
			if dir != "" {
				return several.check(c, args)
			}
			for _, name := range []string{"all", "jobs", "json", "quiet"} {
				if c.Flags().Changed(name) {
					return fmt.Errorf("--%s goes with --output-dir", name)
				}
			}
			return nameAndFile(args)
		},
		ValidArgsFunction: func(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if dir != "" {
				return completeManyNames(c, args, typed)
			}
			return completeNameAndFiles(c, args, typed)
		},
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			if dir != "" {
				return exportAll(c.Context(), m, &several, options, dir, args)
			}
			options.Name = args[0]
			if len(args) == 1 || args[1] == "-" {
				if term.IsTerminal(int(os.Stdout.Fd())) {
					return usageError{errors.New("an archive is nothing for a terminal; name a FILE or a pipe")}
				}
				return m.Export(c.Context(), options, os.Stdout)
			}
			return exportTo(c.Context(), m, options, args[1])
		},
	}
	several.addFlags(command, true)
	flags := command.Flags()
	flags.BoolVar(&options.Freeze, "freeze", false, "halt a sandbox that is running for as long as the export takes")
	flags.BoolVar(&options.Zstd, "zstd", false, "compress the archive")
	flags.StringVarP(&dir, "output-dir", "o", "", "write an archive of each sandbox into `DIR`")
	return command
}

// nameAndFile takes one argument, the sandbox, or two.
func nameAndFile(args []string) error {
	switch len(args) {
	case 0:
		return errors.New("name a sandbox")
	case 1, 2:
		return checkNames(args[:1])
	}
	return errors.New("name a sandbox and a FILE, and no more; several sandboxes go with --output-dir")
}

// exportAll writes an archive of each sandbox into a directory, which must be there.
func exportAll(
	ctx context.Context, m *helper.Manager, several *many, options helper.ExportOptions, dir string, names []string,
) error {
	if info, err := os.Stat(dir); err != nil {
		return usageError{fmt.Errorf("write archives: %w", err)}
	} else if !info.IsDir() {
		return usageError{fmt.Errorf("write archives: %s is not a directory", dir)}
	}
	suffix := ".tar"
	if options.Zstd {
		suffix = ".tar.zst"
	}
	return several.each(ctx, m, names, "Exported", func(ctx context.Context, d *done, _ io.Writer) error {
		if err := config.CheckName(d.Name); err != nil {
			return err // it becomes a file's name
		}
		options, file := options, filepath.Join(dir, d.Name+suffix)
		options.Name = d.Name
		if err := exportTo(ctx, m, options, file); err != nil {
			return err
		}
		d.Archive, d.text = file, "Exported "+d.Name+" to "+file+"\n"
		return nil
	})
}

// exportTo writes to a file that nobody else can read, and that is there when it is complete.
func exportTo(ctx context.Context, m *helper.Manager, options helper.ExportOptions, file string) error {
	out, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o600), renameio.IgnoreUmask())
	if err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	defer out.Cleanup()
	if err := m.Export(ctx, options, out); err != nil {
		return err
	}
	if err := out.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write archive: %w", err)
	}
	return nil
}
