package helper

import (
	"libvirt.org/go/libvirt"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// CommandPlan is what the init inside is to do for a sandbox's command.
func CommandPlan(s *config.Sandbox) (*guest.Plan, error) { return guestPlan(s) }

// SecurityModel is that of libvirt's capabilities: selinux, apparmor or "".
func SecurityModel(connection *libvirt.Connect) (string, error) { return securityModel(connection) }

// Reason is what libvirt says of a failure, without numbers.
func Reason(err error) string { return reason(err) }
