// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// ErrNotFound is returned when there is no config of the name.
var ErrNotFound = errors.New("no such sandbox")

// SyntaxError is a config that cannot be used, with the place that is wrong.
type SyntaxError = textmerge.Mistake

// maxMistakes bounds how many mistakes of a config are told of.
const maxMistakes = 10

// Every complaint about a config, as a sentence that says what to do.
const (
	msgUnknownSection = "unknown section [%s]%s"
	msgLegacy         = "it is a config of the original libvirt-sandbox; run virt-sandbox-service upgrade %s"
	msgUnknownKey     = "unknown key %q in [%s]%s"
	msgNotState       = "%q in [%s] is not what a state has"
	msgTwice          = "%q in [%s] is given twice; it takes one value"
	msgTooLong        = "the file is longer than %d bytes"
	msgFormat         = "format %q is not supported; this program knows 1 and 2"
	msgName           = "name %q must match [A-Za-z0-9][A-Za-z0-9_.-]{0,62} and not contain \"..\"; that of a " +
		"template's instance is TEMPLATE@INSTANCE of two such names"
	msgNameDiffers = "name %q differs from the file's name; rename one of them"
	msgSize        = "%q is not a size such as 512M or 2G (bytes, K, M, G, T)"
	msgUUID        = "%q is not a UUID such as 01234567-89ab-4def-8123-456789abcdef"
	msgMachineID   = "%q is not a machine ID of 32 lower case hexadecimal digits"
	msgPath        = "%q must be an absolute path without \"..\", \"//\" or a trailing slash"
	msgContent     = "content %q must be a directory of its own, and not below what containers share: " +
		"/usr, /opt, /etc, /dev, /proc, /sys"
	msgUnit          = "%q is not a unit name such as httpd.service"
	msgUnitTemplate  = "%q is a template; name an instance such as getty@tty1.service"
	msgPackage       = "%q is not a package name"
	msgState         = "state %q is not known; only \"deleting\" is"
	msgSecurityMode  = "mode %q is not static, dynamic or inherit"
	msgLabel         = "label %q is not USER:ROLE:TYPE:LEVEL"
	msgLevel         = "level %q: %s"
	msgSELinuxType   = "%q is not an SELinux type"
	msgCapabilities  = "%q is not auto or all, followed by +CAP_NAME and -CAP_NAME, nor a list of names"
	msgCapability    = "%q is not a capability that libvirt can give or take, such as CAP_NET_RAW; see capabilities(7)"
	msgNameTwice     = "%q is given twice"
	msgSystemCalls   = "%q is not auto or all, followed by +NAME and -NAME, nor a list of names of system calls"
	msgSystemCall    = "%q is not the name of a system call, such as keyctl; see syscalls(2)"
	msgProfile       = "%q is not the name of an AppArmor profile"
	msgNetwork       = "network mode %q is not private or host"
	msgHostInterface = "interface= and mode=host exclude each other: with the host's network a container has no " +
		"interface of its own"
	msgInterfaces      = "there are more than %d interfaces"
	msgSameMAC         = "two interfaces have the MAC address %s"
	msgMount           = "%q is not TARGET=SOURCE with absolute paths"
	msgHostImage       = "%q is not TARGET=FILE[,format=raw|qcow2] with absolute paths"
	msgGuestBind       = "%q is not TARGET=PATH, both absolute paths inside"
	msgGuestBindLoop   = "%q shows a directory within itself; choose places of which none lies below the other"
	msgMountTwice      = "two mounts have the target %q; remove one"
	msgMountHidden     = "the mount at %q would be out of sight below the guest-bind at %q; choose another place"
	msgDisk            = "%q is not TAG=PATH[,format=raw|qcow2] with an absolute path"
	msgDiskTag         = "tag %q must match [A-Za-z0-9][A-Za-z0-9_.-]{0,62} and not contain \"..\""
	msgDiskTagTwice    = "two disks have the tag %q; rename one"
	msgTooManyDisks    = "there are %d disks; a sandbox can have %d"
	msgFileTwice       = "%s is named twice, for %s and for %s; two of them would destroy each other's data"
	msgImageFormat     = "%q is not an image format; raw and qcow2 are"
	msgImageFS         = "%q is not a file system that images are made with; ext4 and xfs are"
	msgImageAlone      = "%s is given without image; name the image's file"
	msgImageBelow      = "image %q lies in the content directory, on which it is mounted"
	msgRAM             = "%q is not TARGET=SIZE such as /scratch=10M"
	msgMountTarget     = "mount target %q would replace what every container needs"
	msgPrivate         = "%q is not ORIGIN PATH such as \"package:httpd /etc/httpd\""
	msgVariable        = "%q is not the name of an environment variable"
	msgUser            = "%q is not a user name"
	msgChoice          = "%s %q is not one of %s"
	msgHostUnit        = "the name of its unit on the host, %q, is longer than %d characters; shorten the name"
	msgHealthCommand   = "health-cmd is run by the systemd inside, and a sandbox with a command has none"
	msgStore           = "store=host keeps the journal in the host's alone, which needs forward=all"
	msgDirective       = "%q is not a directive of systemd such as After or LimitNOFILE"
	msgNotInside       = "%s= of [service] counts for services inside, and a sandbox with a command has none"
	msgDirectiveValue  = "the value of %s= must be one line and not end in a backslash"
	msgMissing         = "[%s] %s is missing"
	msgUnitsAndCommand = "unit and [command] exclude each other; remove one"
	msgNothingToRun    = "nothing to run: give [sandbox] unit or [command] argument"
)
