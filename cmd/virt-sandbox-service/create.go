package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/user"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

func createCommand(manager newManagerFunc) *cobra.Command {
	var options helper.CreateOptions
	var uid, gid int64
	var several many
	command := &cobra.Command{
		Use:   "create [-C] [-l LEVEL] [-u UNIT]… NAME… [-- COMMAND [ARG]…]",
		Short: "Make sandboxes for units or a command",
		Long: `Make a sandbox for units (-u) or for a command (after --). Several NAMEs make as
many, alike but for the name and what is allocated.

What the packages of the units own below /etc and /var becomes private to the
sandbox, and so does what the units' directives and tmpfiles.d name. With -C it
starts as a copy of the host's, without as empty files and directories.

Without -l and -s a free pair of MCS categories is allocated: one that no other
sandbox, libvirt domain or process can reach, within what the policy's seusers
grants to system_u or __default__. A level of -l or -s that another sandbox or
libvirt domain can reach is refused, unless --share-level allows it.`,
		Example: `  virt-sandbox-service create -C -u httpd.service web1
  virt-sandbox-service create -C -u httpd.service $(seq -f web%g 2 100)
  virt-sandbox-service create -C -l s0:c1,c2 -u mariadb.service -m host-bind:/srv/dumps=/backup/db1 db1
  virt-sandbox-service create job1 -- /usr/bin/rsync --daemon --no-detach`,
		Args: func(c *cobra.Command, args []string) error {
			dash := c.ArgsLenAtDash()
			if dash < 0 {
				dash = len(args)
			}
			if dash > 1 && (options.Level != "" || options.Security != "") && !options.Share {
				return usageError{errors.New("one level of -l or -s for several NAMEs needs --share-level; without it each gets its own")}
			}
			return several.check(c, args[:dash])
		},
		RunE: func(c *cobra.Command, args []string) error {
			m, err := manager()
			if err != nil {
				return err
			}
			names := args
			if dash := c.ArgsLenAtDash(); dash >= 0 {
				names, options.Command = args[:dash], args[dash:]
			}
			if err := identify(&options, uid, gid); err != nil {
				return usageError{err}
			}
			return several.each(c.Context(), m, names, "Created", func(ctx context.Context, name string, _ io.Writer) error {
				s, err := m.Create(ctx, options.For(name))
				if err != nil || len(names) > 1 {
					return err
				}
				printMade(m, s)
				return nil
			})
		},
	}
	several.addFlags(command, false)
	flags := command.Flags()
	flags.StringArrayVarP(&options.Units, "unitfile", "u", nil, "`UNIT` to run; may be repeated; .service may be left out, and of a template the instance NAME is taken")
	flags.BoolVarP(&options.Copy, "copy", "C", false, "start with a copy of the host's content")
	flags.StringArrayVarP(&options.Packages, "package", "P", nil, "`PACKAGE` whose content is private too; may be repeated")
	labelFlags(flags, &options.Level, &options.Security, &options.Share)
	flags.StringVarP(&options.FileType, "filetype", "f", "", "SELinux `TYPE` of the content (container_file_t)")
	flags.StringVarP(&options.Base, "path", "p", "", "`DIR` whose subdirectory NAME holds the content ("+config.DefaultContentBase+")")
	flags.StringArrayVarP(&options.Networks, "network", "N", nil, "`NETWORK`: private (only loopback, the default) | host (the host's, less safe) | dhcp,source=NET | source=NET,address=IP/PREFIX,route=NET/PREFIX%GATEWAY | bridge=BRIDGE…; may be repeated")
	flags.StringArrayVarP(&options.Mounts, "mount", "m", nil, "`MOUNT`: host-bind:TARGET=SOURCE | host-image:TARGET=FILE[,format=raw|qcow2] | guest-bind:TARGET=PATH | ram:TARGET=SIZE; may be repeated")
	flags.StringVarP(&options.Image.Size, "imagesize", "i", "", "`SIZE` of an image file that holds the content, in MB of 1000000 bytes, or with K, M, G or T of 1024s; it bounds what the sandbox can store")
	flags.StringVar(&options.Image.Size, "image", "", "as --imagesize")
	_ = flags.MarkHidden("image")
	flags.StringVar(&options.Image.Format, "image-format", "", "`FORMAT` of the image: raw (the default) | qcow2")
	flags.StringVar(&options.Image.FS, "image-fs", "", "`TYPE` of the file system in the image: ext4 (the default) | xfs")
	flags.StringArrayVar(&options.Image.Disks, "disk", nil, "`DISK`: TAG=PATH[,format=raw|qcow2]: a block device or file that is /dev/disk/by-tag/TAG inside; may be repeated")
	flags.StringVar(&options.Capabilities, "capabilities", "", "`SET` of capabilities(7): auto [+CAP_NAME]… [-CAP_NAME]… (auto: what the units need) | all | CAP_NAME…")
	flags.StringVar(&options.IDMap, "idmap", "", "`IDS`: auto | BASE:COUNT: root inside is another user outside; without it the ids are the host's")
	flags.Int64VarP(&uid, "uid", "U", -1, "`UID` of the command; that of --username, or root")
	flags.Int64VarP(&gid, "gid", "G", -1, "`GID` of the command; the user's own where it is left out")
	flags.StringVar(&options.Identity.User, "username", "", "`USER` name of the command; that of -U where it is left out")
	flags.StringVar(&options.Identity.Home, "homedir", "", "`DIR` that is the command's HOME; the user's where it is left out")
	return command
}

// labelFlags are those that choose the label of a new sandbox.
func labelFlags(flags *pflag.FlagSet, level, security *string, share *bool) {
	flags.StringVarP(level, "level", "l", "", "MCS `LEVEL` such as s0:c1,c2")
	flags.StringVarP(security, "security", "s", "", "`SECURITY`: static,label=USER:ROLE:TYPE:LEVEL | apparmor,profile=NAME")
	flags.BoolVar(share, "share-level", false, "allow a level that another sandbox has or can reach")
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
