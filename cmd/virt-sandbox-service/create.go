// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/optiontext"
	"github.com/virt-sandbox/virt-sandbox/cmd/internal/usage"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/idmap"
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
	var uid, gid int64
	var several many
	var ifMissing bool
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
			if err := identify(&options, uid, gid); err != nil {
				return usageError{err}
			}
			if err := written.parse(&options); err != nil {
				return usageError{err}
			}
			options.DryRun = options.DryRun || options.ConfigOnly
			past := "Created"
			if options.DryRun {
				past = "Can create"
			}
			return several.each(c.Context(), m, names, past, func(ctx context.Context, d *done, _ io.Writer) error {
				if ifMissing {
					if there, err := isThere(m, d); there || err != nil {
						return err
					}
				}
				s, err := m.Create(ctx, options.For(d.Name))
				if err != nil {
					return err
				}
				if d.made(m, s); options.DryRun {
					d.text = s.Text()
				}
				return nil
			})
		},
	}
	several.addFlags(command, false)
	flags := command.Flags()
	bulkFlags(flags, &options, &ifMissing)
	flags.StringArrayVarP(&options.Units, "unitfile", "u", nil, "`UNIT` to run; may be repeated. .service may be left "+
		"out, and of a template such as foo@.service the instance NAME is run. --unit is the same")
	flags.BoolVarP(&written.copied, "copy", "C", false, "start with a copy of the host's content, as is the default. "+
		"Stop a database on the host before its files are copied")
	flags.BoolVar(&written.empty, "empty", false, "start with empty files and directories instead")
	flags.StringArrayVarP(&options.Packages, "package", "P", nil, "`PACKAGE` whose content is private too; may be "+
		"repeated. Needed for a unit that no package owns")
	flags.StringArrayVar(&options.Include, "include", nil, "`PATH` of the host below /etc, /var, /srv, /home or /root "+
		"that the sandbox starts with a copy of too, though it is a secret or no package's; may be repeated")
	labelFlags(flags, &options.Level, &written.security, &options.Share)
	flags.StringVarP(&options.FileType, "filetype", "f", "", "SELinux `TYPE` of the content; container_file_t by default")
	flags.StringVarP(
		&options.Base,
		"path",
		"p",
		"",
		"`DIR` whose subdirectory NAME holds the content; "+config.DefaultContentBase+" by default",
	)
	flags.StringArrayVarP(&written.networks, "network", "N", nil, "`NETWORK` as said above; may be repeated")
	flags.StringArrayVarP(&options.Mounts, "mount", "m", nil, "`MOUNT` as said above; may be repeated")
	flags.StringArrayVar(&written.shown, "show", nil, "`PATH` of the host that the sandbox sees, read-only; may be "+
		"repeated")
	flags.StringVarP(&written.imageSize, "imagesize", "i", "", "`SIZE` of an image that holds the content, which bounds "+
		"what the sandbox can store. A bare number is of MB of 1000000 bytes, as it was with the original libvirt-sandbox; "+
		"with K, M, G or T it is as sizes in the config, of 1024s")
	flags.StringVar(&written.imageSize, "image", "", "as --imagesize")
	_ = flags.MarkHidden("image")
	flags.StringVar((*string)(&options.Image.Format), "image-format", "", "`FORMAT` of the image: raw, the default, or "+
		"qcow2")
	flags.StringVar((*string)(&options.Image.FS), "image-fs", "", "`TYPE` of the file system in the image: ext4, the "+
		"default, or xfs")
	flags.StringArrayVar(&options.Image.Disks, "disk", nil, "block device of the host, or file as one, that is "+
		"/dev/disk/by-tag/TAG inside, as `TAG=PATH[,format=raw|qcow2]`; may be repeated")
	flags.StringVar(&written.capabilities, "capabilities", "", "`SET` of capabilities that processes of the sandbox can "+
		"have, as capabilities= of virt-sandbox.config(5): auto [+CAP_NAME]… [-CAP_NAME]…, all, or CAP_NAME…; auto by "+
		"default, what the units need")
	flags.StringVar(&written.systemCalls, "system-calls", "", "`SET` of system calls that processes of the sandbox can "+
		"make, as system-calls= of virt-sandbox.config(5): auto [+NAME]… [-NAME]…, all, or NAME…; auto by default, what is "+
		"harmless with the capabilities that they have")
	flags.StringVar(&written.idMap, "idmap", "", "user and group `IDS` of the sandbox's own, auto, BASE:COUNT or none: "+
		"root inside is another user outside, and files keep their owners; see idmap= of virt-sandbox.config(5). auto by "+
		"default where the host can do it, and create says where it cannot")
	flags.Int64VarP(&uid, "uid", "U", -1, "`UID` of the command; that of --username by default, or root")
	flags.Int64VarP(&gid, "gid", "G", -1, "`GID` of the command; the user's own by default")
	flags.StringVar(&options.Identity.User, "username", "", "`USER` name of the command; that of -U in the host's "+
		"accounts by default")
	flags.StringVar(&options.Identity.Home, "homedir", "", "`DIR` that is the command's HOME; the user's by default")
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

// writtenOptions are options whose text is read here, since the library takes what it means.
type writtenOptions struct {
	networks, shown     []string
	capabilities, idMap string
	systemCalls         string
	security            string
	imageSize           string
	copied, empty       bool
}

// parseSecurity reads -s, which may be left out.
func parseSecurity(text string) (config.Security, error) {
	if text == "" {
		return config.Security{}, nil
	}
	security, err := optiontext.Security(text)
	if err != nil {
		return config.Security{}, fmt.Errorf("-s: %w", err)
	}
	return security, nil
}

func (w writtenOptions) parse(o *helper.CreateOptions) (err error) {
	switch {
	case w.empty && w.copied:
		return errors.New("-C and --empty are opposites; give one of them")
	case w.empty && len(o.Include) > 0:
		return errors.New("--include copies, and --empty copies nothing; give one of them")
	}
	o.Copy = !w.empty
	if o.Network, o.Interfaces, err = optiontext.Networks(w.networks); err != nil {
		return fmt.Errorf("-N: %w", err)
	}
	for _, p := range w.shown {
		text, err := optiontext.Show(p)
		if err != nil {
			return fmt.Errorf("--show %s: %w", p, err)
		}
		o.Mounts = append(o.Mounts, text)
	}
	if w.capabilities != "" {
		if o.Capabilities, err = config.ParseCapabilities(w.capabilities); err != nil {
			return fmt.Errorf("--capabilities: %w", err)
		}
	}
	if w.systemCalls != "" {
		if o.SystemCalls, err = config.ParseSystemCalls(w.systemCalls); err != nil {
			return fmt.Errorf("--system-calls: %w", err)
		}
	}
	if w.idMap != "" {
		if o.IDMap, err = idmap.Parse(w.idMap); err != nil {
			return fmt.Errorf("--idmap: %w", err)
		}
	}
	if w.imageSize != "" {
		if o.Image.Size, err = optiontext.ImageSize(w.imageSize); err != nil {
			return fmt.Errorf("-i %w", err)
		}
	}
	o.Security, err = parseSecurity(w.security)
	return err
}

// bulkFlags are those of how several sandboxes are made, or shown.
func bulkFlags(flags *pflag.FlagSet, options *helper.CreateOptions, ifMissing *bool) {
	flags.BoolVar(&options.DryRun, "dry-run", false, "make nothing, and print what the sandbox would be, with what "+
		"becomes private and without what is allocated then")
	flags.BoolVar(&options.ConfigOnly, "print-config", false, "make nothing, and print the config that would be "+
		"written")
	flags.StringVar(&options.Template, "template", "", "make instances of a `TEMPLATE`, the config TEMPLATE@.sandbox, "+
		"which says all that they are: NAMEs are those of instances, and a is the sandbox TEMPLATE@a. See TEMPLATES of "+
		"virt-sandbox.config(5)")
	flags.BoolVar(ifMissing, "if-missing", false, "leave a sandbox that is there as it is, whatever it was made with, "+
		"and succeed")
}

// labelFlags are those that choose the label of a new sandbox.
func labelFlags(flags *pflag.FlagSet, level, security *string, share *bool) {
	flags.StringVarP(level, "level", "l", "", "MCS `LEVEL` such as s0:c1,c2; without -l and -s one is chosen")
	flags.StringVarP(security, "security", "s", "", "`SECURITY` of the processes: static,label=USER:ROLE:TYPE:LEVEL or "+
		"apparmor,profile=NAME")
	flags.BoolVar(share, "share-level", false, "allow a level of -l or -s that another sandbox or domain has or can reach")
}

// identify completes the identity of a command from the host's accounts.
func identify(options *helper.CreateOptions, uid, gid int64) error {
	const maxID = 1<<32 - 2
	if uid < -1 || uid > maxID || gid > maxID {
		return errors.New("-U and -G take numbers from 0 to 4294967294")
	}
	identity := &options.Identity
	if uid < 0 && identity.User != "" {
		named, err := user.Lookup(identity.User)
		if err != nil {
			return fmt.Errorf("--username %s: the host has no such account; give its number with -U too", identity.User)
		}
		if uid, err = strconv.ParseInt(named.Uid, 10, 64); err != nil {
			return fmt.Errorf("account of --username %s: %w", identity.User, err)
		}
	}
	uid = max(uid, 0)
	identity.UID = uint32(uid)
	account, err := user.LookupId(strconv.FormatInt(uid, 10))
	if err == nil {
		if identity.User == "" {
			identity.User = account.Username
		}
		if identity.Home == "" {
			identity.Home = account.HomeDir
		}
		if gid < 0 {
			if gid, err = strconv.ParseInt(account.Gid, 10, 64); err != nil {
				return fmt.Errorf("account of -U %d: %w", uid, err)
			}
		}
	}
	if gid < 0 {
		return fmt.Errorf("no account has -U %d; give its group with -G", uid)
	}
	identity.GID = uint32(gid)
	return nil
}
