// SPDX-License-Identifier: Apache-2.0

// Package secontext knows SELinux contexts, user:role:type:level. In: the text that a config, a file or a process has;
// out: its four parts, or the context that has another one of them. What levels mean is for internal/mcs. Everybody may
// call it; it is the one parser of contexts in this program.
package secontext

import (
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
)

// Context is an SELinux context of a policy with levels. Equal contexts are equal to ==. One with an empty part is none
// that a kernel takes: it is what somebody chose some parts of.
type Context struct {
	User, Role, Type string
	Level            string // a level such as s0:c1,c2, or a range such as s0-s0:c0.c1023
}

// Parse reads a context of all four parts. The level is not looked into. Errors: the text is none.
func Parse(text string) (Context, error) {
	part := strings.SplitN(text, ":", 4)
	if len(part) < 4 || !IsName(part[0]) || !IsName(part[1]) || !IsName(part[2]) || part[3] == "" {
		return Context{}, fmt.Errorf("%q is not a context USER:ROLE:TYPE:LEVEL", text)
	}
	return Context{part[0], part[1], part[2], part[3]}, nil
}

// Types of our policy module: of a container's processes, and of what sets it up, so that those need not be allowed to
// mount anything; and of QEMU with a virtual machine.
const (
	ContainerType = "virt_sandbox_t"
	SetupType     = "virt_sandbox_setup_t"
	MachineType   = "virt_sandbox_vm_t"
)

// OfContainer reports whether the context has the type of a container's processes, or one of the names that our module
// has it by where container-selinux is not installed. Where that is, they are the type that container engines use.
func (c Context) OfContainer() bool {
	switch c.Type {
	case ContainerType, "container_t", "svirt_lxc_net_t":
		return true
	}
	return false
}

// IsName reports whether text can be the name of a user, role or type.
func IsName(text string) bool {
	return ascii.Begins(text, "_") && !ascii.IsDigit(text[0]) && ascii.Consists(text, "_.-")
}

// String returns the context as the kernel has it.
func (c Context) String() string { return c.User + ":" + c.Role + ":" + c.Type + ":" + c.Level }

// WithType returns the context with another type.
func (c Context) WithType(name string) Context {
	c.Type = name
	return c
}

// WithLevel returns the context with another level.
func (c Context) WithLevel(level string) Context {
	c.Level = level
	return c
}

// File returns the context of a file that a process of the context makes, of a type: the kernel gives files the role
// object_r, and virt-sandbox those of containers the system's user.
func (c Context) File(fileType string) Context {
	return Context{"system_u", "object_r", fileType, c.Level}
}

// SameButUser reports whether two contexts differ in nothing but the user, which policies of containers do not look at.
func SameButUser(a, b string) bool {
	if a == b {
		return true
	}
	one, err := Parse(a)
	if err != nil {
		return false
	}
	other, err := Parse(b)
	other.User = one.User
	return err == nil && one == other
}
