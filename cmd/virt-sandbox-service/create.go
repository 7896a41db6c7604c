// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/usage"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

const createText = `Make a sandbox for units (-u) or for a command (after --). It prints the content
directory, the config, and the unit file UNIT@NAME.service, that systemctl can
enable. Several NAMEs make as many sandboxes, alike but for the name and what is
allocated; see SEVERAL SANDBOXES of virt-sandbox-service(1).

What the packages of the units own below /etc and /var becomes private to the
sandbox, and so does what the units' directives and tmpfiles.d name, what their
packages' scripts made, and the data below /var and /srv that configuration
among all that names. A secret of the host that configuration names is not
copied unless --include says so; the certificate of Debian's ssl-cert is made
anew.
All of it starts as a copy of the host's, or with --empty as empty files and
directories.`

// createGroups are the options of create, with what is to be said of them.
func createGroups() []usage.Group {
	return []usage.Group{
		{Title: "What runs", Options: []string{"unitfile", "template", "uid", "gid", "username", "homedir"}},
		{Title: "Storage", Text: createStorage, Options: []string{
			"package", "include", "copy", "empty", "path", "show", "mount", "imagesize", "image-format", "image-fs", "disk",
		}},
		{Title: "Network", Text: createNetwork, Options: []string{"network"}},
		{Title: "Security", Text: createSecurity, Options: []string{
			"idmap", "capabilities", "system-calls", "level", "share-level", "security", "filetype",
		}},
		{Title: "Bulk", Options: []string{"jobs", "json", "quiet", "dry-run", "print-config", "if-missing"}},
	}
}

const createStorage = `-i makes an image, a sparse file /var/lib/libvirt/images/NAME.raw with a file
system that holds the content. A file that is there already is never
overwritten.

What -m may be, more than once; see [mounts] and IMAGES of
virt-sandbox.config(5):

  host-bind:TARGET=SOURCE
          shows a file or directory of the host, writable. SELinux lets it be
          written where the source has the type and level of the sandbox's
          content (chcon -R -t container_file_t -l LEVEL).
  host-show:TARGET=SOURCE
          shows a file or directory of the host, read-only. --show PATH is the
          same for one place: of the host's /opt and /usr/local a sandbox sees
          what its units or its command name, and of other data nothing.
  host-image:TARGET=FILE[,format=raw|qcow2]
          mounts the file system in a file.
  guest-bind:TARGET=PATH
          shows what is at PATH inside.
  ram:TARGET=SIZE
          mounts a tmpfs.`

const createNetwork = `What -N may be, for several interfaces more than once; see interface= of
virt-sandbox.config(5) for all of them:

  private
          only loopback, the default.
  host
          the host's network, which is less safe.
  dhcp,source=NET
          an interface with an address from the libvirt network NET.
  source=NET,mac=MAC,address=IP/PREFIX[%BROADCAST],route=NETWORK/PREFIX%GATEWAY
          an interface with a fixed address.
  bridge=BRIDGE
          in place of source= is a bridge of the host.
  filter=NAME[,filter.PARAMETER=VALUE]…
          behind a comma is a network filter of libvirt's.`

const createSecurity = `Without -l and -s a free pair of MCS categories is allocated: one that no other
sandbox, libvirt domain or process of the host can reach or be reached from,
that setrans.conf gives no meaning to, and that is in the range which seusers of
the policy grants to system_u or else to __default__. A sandbox that is deleted
gives its pair back. A level of -l or -s that is not kept apart from that of
another sandbox or domain is refused, unless --share-level allows it: where one
of the two has all categories of the other, it reaches the other's files. So is
s0, which every sandbox can reach.

What -s may be; inherit is for commands of virt-sandbox only:

  static,label=USER:ROLE:TYPE:LEVEL
          is the whole SELinux context of the processes.
  dynamic[,label=USER:ROLE:TYPE:LEVEL]
          has a level of nobody else's chosen at each start, in place of that of
          the label. Only with -i: the files of a directory carry their level.
  apparmor,profile=NAME
          is a profile in place of the one that libvirt makes, where the host
          has AppArmor instead of SELinux.`

func createCommand(manager newManagerFunc) *cobra.Command {
	var options helper.CreateOptions
	var written writtenOptions
	var several many
	var ifMissing, configOnly bool
	command := &cobra.Command{
		Use:   "create [OPTION]… NAME… [-- COMMAND [ARG]…]",
		Short: "Make sandboxes for units or a command",
		Long:  createText,
		Example: `  virt-sandbox-service create -u httpd.service web1
  virt-sandbox-service create -u httpd.service $(seq -f web%g 2 100)
  virt-sandbox-service create -u mariadb -m host-bind:/dumps=/srv/db1 db1
  virt-sandbox-service create --template web@ a b c
  virt-sandbox-service create job1 -- /usr/bin/rsync --daemon --no-detach`,
		Args: func(c *cobra.Command, args []string) error {
			dash := c.ArgsLenAtDash()
			if dash < 0 {
				dash = len(args)
			}
			if dash > 1 && (options.Level != "" || written.security != "") && !options.Share {
				return errors.New("one level of -l or -s for several NAMEs needs --share-level; without it each gets its own")
			}
			if err := checkIdentity(c.Flags(), written, args[dash:]); err != nil {
				return err
			}
			return several.check(c, args[:dash])
		},
		ValidArgsFunction: completeCommand,
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			names := args
			if dash := c.ArgsLenAtDash(); dash >= 0 {
				names, options.Command = args[:dash], args[dash:]
			}
			if options.Template != "" {
				if names, err = instances(c, &options, names); err != nil {
					return usageError{err}
				}
			}
			if err := identify(&options, written.uid, written.gid); err != nil {
				return usageError{err}
			}
			if err := written.parse(&options); err != nil {
				return usageError{err}
			}
			options.DryRun = options.DryRun || configOnly
			return several.each(c.Context(), m, names, "Created", func(ctx context.Context, d *done, _ io.Writer) error {
				if ifMissing {
					if there, err := isThere(m, d); there || err != nil {
						return err
					}
				}
				s, err := m.Create(ctx, options.For(d.Name))
				if err != nil {
					return err
				}
				if options.DryRun {
					return d.planned(m, s, configOnly)
				}
				d.made(m, s)
				return nil
			})
		},
	}
	several.addFlags(command, false)
	flags := command.Flags()
	bulkFlags(flags, &options, &ifMissing, &configOnly)
	unitFlags(flags, &options, &written)
	storageFlags(flags, &options, &written)
	confinementFlags(flags, &options, &written)
	usage.SetGroups(command, createGroups()...)
	return command
}

// instances returns the names of the instances of a template that are to be made.
func instances(c *cobra.Command, options *helper.CreateOptions, args []string) (names []string, err error) {
	options.Template = strings.TrimSuffix(options.Template, "@") + "@"
	c.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "template", "jobs", "json", "quiet", "dry-run", "print-config", "if-missing", "share-level":
		default:
			err = fmt.Errorf("--template and --%s exclude each other: the template says what its instances are; "+
				"edit --drop-in TEMPLATE@INSTANCE makes one another", f.Name)
		}
	})
	if len(options.Command) > 0 {
		err = errors.New("--template and a command exclude each other: the template says what its instances run")
	}
	for _, name := range args {
		names = append(names, options.Template+strings.TrimPrefix(name, options.Template))
	}
	return names, err
}

// isThere reports whether a sandbox was made before, and notes it.
func isThere(m *helper.Manager, d *done) (bool, error) {
	s, err := m.Store.Load(d.Name)
	switch {
	case errors.Is(err, config.ErrNotFound):
		return false, nil
	case err == nil && s.State == config.StateUsable:
		d.isThere(m, s)
		return true, nil
	}
	return false, err
}
