// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/optiontext"
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
	"github.com/virt-sandbox/virt-sandbox/internal/idmap"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// unitFlags are the options of what runs, and as whom.
func unitFlags(flags *pflag.FlagSet, options *helper.CreateOptions, written *writtenOptions) {
	flags.StringArrayVarP(&options.Units, "unitfile", "u", nil, "`UNIT` to run; may be repeated. .service may be left "+
		"out, and of a template such as foo@.service the instance NAME is run. --unit is the same")
	flags.Int64VarP(&written.uid, "uid", "U", -1, "`UID` of the command; that of --username by default, or root")
	flags.Int64VarP(&written.gid, "gid", "G", -1, "`GID` of the command; the user's own by default")
	flags.StringVar(&options.Identity.User, "username", "", "`USER` name of the command; that of -U in the host's "+
		"accounts by default")
	flags.StringVar(&options.Identity.Home, "homedir", "", "`DIR` that is the command's HOME; the user's by default")
}

// storageFlags are the options of what a sandbox has of its own and what it sees.
func storageFlags(flags *pflag.FlagSet, options *helper.CreateOptions, written *writtenOptions) {
	flags.BoolVarP(&written.copied, "copy", "C", false, "start with a copy of the host's content, as is the default. "+
		"Stop a database on the host before its files are copied")
	flags.BoolVar(&written.empty, "empty", false, "start with empty files and directories instead")
	flags.StringArrayVarP(&options.Packages, "package", "P", nil, "`PACKAGE` whose content is private too; may be "+
		"repeated. Needed for a unit that no package owns")
	flags.StringArrayVar(&options.Include, "include", nil, "`PATH` of the host below /etc, /var, /srv, /home or /root "+
		"that the sandbox starts with a copy of too, with what its links lead to, though it is a secret or no "+
		"package's; may be repeated")
	flags.StringVarP(&options.Base, "path", "p", "", "`DIR` whose subdirectory NAME holds the content; "+
		config.DefaultContentBase+" by default")
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
}

// confinementFlags are the options of what a sandbox may do and whom it reaches.
func confinementFlags(flags *pflag.FlagSet, options *helper.CreateOptions, written *writtenOptions) {
	flags.StringArrayVarP(&written.networks, "network", "N", nil, "`NETWORK` as said above; may be repeated")
	labelFlags(flags, &options.Level, &written.security, &options.Share)
	flags.StringVarP(&options.FileType, "filetype", "f", "", "SELinux `TYPE` of the content; container_file_t by default")
	flags.StringVar(&written.capabilities, "capabilities", "", "`SET` of capabilities that processes of the sandbox can "+
		"have, as capabilities= of virt-sandbox.config(5): auto [+CAP_NAME]… [-CAP_NAME]…, all, or CAP_NAME…; auto by "+
		"default, what the units need")
	flags.StringVar(&written.systemCalls, "system-calls", "", "`SET` of system calls that processes of the sandbox can "+
		"make, as system-calls= of virt-sandbox.config(5): auto [+NAME]… [-NAME]…, all, or NAME…; auto by default, what is "+
		"harmless with the capabilities that they have")
	flags.StringVar(&written.idMap, "idmap", "", "user and group `IDS` of the sandbox's own, auto, BASE:COUNT or none: "+
		"root inside is another user outside, and files keep their owners; see idmap= of virt-sandbox.config(5). auto by "+
		"default where the host can do it, and create says where it cannot")
}

// writtenOptions are options whose text is read here, since the library takes what it means.
type writtenOptions struct {
	networks, shown     []string
	capabilities, idMap string
	systemCalls         string
	security            string
	imageSize           string
	copied, empty       bool
	uid, gid            int64
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
	for _, unit := range o.Units {
		if !wellformed.IsUnit(unitname.Complete(unit)) {
			return fmt.Errorf("-u: %q is not the name of a unit, such as httpd.service", unit)
		}
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
func bulkFlags(flags *pflag.FlagSet, options *helper.CreateOptions, ifMissing, configOnly *bool) {
	flags.BoolVar(&options.DryRun, "dry-run", false, "make nothing, and print what show will print, with what becomes "+
		"private and where each setting comes from; what is allocated when it is made has no value yet")
	flags.BoolVar(configOnly, "print-config", false, "make nothing, and print the config that would be written")
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

// checkIdentity checks whom a command is to run as.
func checkIdentity(flags *pflag.FlagSet, written writtenOptions, command []string) error {
	const maxID = 1<<32 - 2
	for option, id := range map[string]int64{"uid": written.uid, "gid": written.gid} {
		if flags.Changed(option) && (id < 0 || id > maxID) {
			return errors.New("-U and -G take numbers from 0 to 4294967294")
		}
	}
	for _, option := range []string{"uid", "gid", "username", "homedir"} {
		if flags.Changed(option) && len(command) == 0 {
			return fmt.Errorf("--%s is about a command after --; units say themselves as whom they run", option)
		}
	}
	if len(command) > 0 && command[0] == "" {
		return errors.New("the command after -- has an empty name")
	}
	return nil
}

// identify completes the identity of a command from the host's accounts.
func identify(options *helper.CreateOptions, uid, gid int64) error {
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
