package helper

import (
	"libvirt.org/go/libvirt"
)

// SecurityModel is that of libvirt's capabilities: selinux, apparmor or "".
func SecurityModel(connection *libvirt.Connect) (string, error) { return securityModel(connection) }

// Reason is what libvirt says of a failure, without numbers.
func Reason(err error) string { return reason(err) }
