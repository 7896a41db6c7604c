package config

import (
	"errors"
	"fmt"
)

// ErrNotFound is returned when there is no config of the name.
var ErrNotFound = errors.New("no such sandbox")

var errNotRegular = errors.New("it is not a regular file")

// SyntaxError is a config that cannot be used, with the place that is wrong.
type SyntaxError struct {
	File    string
	Line    int // from 1; 0 when no single line is to blame
	Message string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Message)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
}

// Every complaint about a config, as a sentence that says what to do.
const (
	msgNotKeyValue     = "%q is neither [section], KEY=VALUE nor a # comment"
	msgNoSection       = "%q stands before the first [section]"
	msgUnknownSection  = "unknown section [%s]; known are %s"
	msgOriginal        = "it is a config of the original libvirt-sandbox; run virt-sandbox-service upgrade %s"
	msgUnknownKey      = "unknown key %q in [%s]; known are %s"
	msgTwice           = "%q in [%s] is given twice; it takes one value"
	msgQuotes          = "%s is not a well quoted value; close the quotes and escape with \\"
	msgNotText         = "the line is not UTF-8 text without control characters"
	msgTooLong         = "the file is longer than %d bytes"
	msgFormat          = "format %q is not supported; this program knows 1"
	msgName            = "name %q must match [A-Za-z0-9][A-Za-z0-9_.-]{0,62} and not contain \"..\""
	msgNameDiffers     = "name %q differs from the file's name; rename one of them"
	msgBoolean         = "%q is not yes or no"
	msgNumber          = "%q is not a number from 0 to 4294967294"
	msgPIDs            = "%q is not a number of processes from 1 to %d, or none"
	msgCPUs            = "%q is not a number of CPUs such as 0.5 or 2"
	msgSize            = "%q is not a size such as 512M or 2G (bytes, K, M, G, T)"
	msgDuration        = "%q is not a time such as 90s or 5m"
	msgTime            = "%q is not a time such as 2026-01-31T12:00:00Z"
	msgUUID            = "%q is not a UUID such as 01234567-89ab-4def-8123-456789abcdef"
	msgMachineID       = "%q is not a machine ID of 32 lower case hexadecimal digits"
	msgPath            = "%q must be an absolute path without \"..\", \"//\" or a trailing slash"
	msgContent         = "content %q must be a directory of its own, and not below what containers share: /usr, /opt, /etc, /dev, /proc, /sys"
	msgUnit            = "%q is not a unit name such as httpd.service"
	msgUnitTemplate    = "%q is a template; name an instance such as getty@tty1.service"
	msgPackage         = "%q is not a package name"
	msgState           = "state %q is not known; only \"deleting\" is"
	msgSecurityMode    = "mode %q is not static, dynamic or inherit"
	msgLabel           = "label %q is not USER:ROLE:TYPE:LEVEL"
	msgLevel           = "level %q: %s"
	msgSELinuxType     = "%q is not an SELinux type"
	msgCapabilities    = "%q is not auto or all, followed by +CAP_NAME and -CAP_NAME, nor a list of names"
	msgCapability      = "%q is not a capability that libvirt can give or take, such as CAP_NET_RAW; see capabilities(7)"
	msgCapabilityTwice = "capability %q is given twice"
	msgProfile         = "%q is not the name of an AppArmor profile"
	msgIDMap           = "idmap %q is not auto, nor BASE:COUNT such as 100000000:65536, both at least 65536"
	msgNetwork         = "network mode %q is not private or host"
	msgMount           = "%q is not TARGET=SOURCE with absolute paths"
	msgRAM             = "%q is not TARGET=SIZE such as /scratch=10M"
	msgMountTarget     = "mount target %q would replace what every container needs"
	msgPrivate         = "%q is not ORIGIN PATH such as \"package:httpd /etc/httpd\""
	msgVariable        = "%q is not the name of an environment variable"
	msgUser            = "%q is not a user name"
	msgRestart         = "restart %q is not one of %s"
	msgHostUnit        = "the name of its unit on the host, %q, is longer than %d characters; shorten the name"
	msgDirective       = "%q is not a directive of systemd such as After or LimitNOFILE"
	msgOwnDirective    = "%s= is what the container's unit stands on and cannot be changed here"
	msgDirectiveValue  = "the value of %s= must be one line and not end in a backslash"
	msgMissing         = "[%s] %s is missing"
	msgUnitsAndCommand = "unit and [command] exclude each other; remove one"
	msgNothingToRun    = "nothing to run: give [sandbox] unit or [command] argument"
	msgMountKind       = "mount type %q is not host-bind or ram"
	msgSecurityOption  = "security option %q is not dynamic[,label=…], static,label=…, inherit, or apparmor,profile=…"
)
