// SPDX-License-Identifier: Apache-2.0

// Package boot is the plan of a start: what libvirt is told of a container, and what virt-sandbox-init does in it.
// In: a sandbox and the facts of its host. Out: the domain's XML and the guest's plan. It asks the host nothing, so
// that equal facts make equal plans. The drivers of a start call it: for a container that stays, a one-shot and a
// virtual machine.
package boot

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/capability"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
	"github.com/virt-sandbox/virt-sandbox/internal/syscallfilter"
)

// Facts are what a plan needs to know of the host at the time of the start.
type Facts struct {
	SELinux       bool              // whether the host's is on
	SecurityModel string            // of libvirt's capabilities: selinux, apparmor or ""
	SetupLabel    string            // SELinux context for the set-up of the container; empty for that of its processes
	Profile       string            // AppArmor profile that virt-sandbox-init has to set; empty for none
	Asked         []string          // capabilities that the units name
	Lacks         []string          // capabilities that the host does not have to give
	Fitting       innerboot.Fitting // what units have so that they run in a container
	Memory        config.Size       // bytes of RAM

	Mounted map[string]string // directories where the file systems of images are mounted, by target
	Devices map[string]string // block devices of the disks that libvirt need not make one of, by tag
	View    roottree.View     // of the host and of the content

	Proc []string // files of lxcfs.Dir that take the places of those below /proc

	Init     string // the file of virt-sandbox-init
	Runtime  string // directory that the container sees as domain.GuestDir
	RootTree string // directory where the root is put together

	Groups  []uint32 // ids of the groups of the command's user
	OneShot *OneShot // nil for a container that stays
}

// OneShot is what only a sandbox for one command has.
type OneShot struct {
	Root  string // directory that is the root, read-only; empty for the host's own
	Shell bool   // whether root has a shell on the second console
	// Ignored are signals that the command ignores from its start.
	Ignored []syscall.Signal

	Machine *guest.Machine // what a virtual machine is made of inside; nil in a container
}

// Plan is a start with all its parts.
type Plan struct {
	Domain string            // XML for libvirt
	Guest  *guest.Plan       // for virt-sandbox-init
	Tree   *roottree.Content // what to put together at Facts.RootTree
}

// Container returns the plan of a container. Errors: of writing XML, and a system call that the config names and this
// machine does not have.
func Container(s *config.Sandbox, f *Facts) (*Plan, error) {
	host := domain.Host{
		Root: f.RootTree, Memory: f.Memory, SecurityModel: f.SecurityModel, SetupLabel: f.SetupLabel,
		Devices: f.Devices, Asked: f.Asked, Lacks: f.Lacks,
	}
	if f.OneShot != nil {
		host.Shell = f.OneShot.Shell
	}
	p := Plan{Guest: Command(s, f.Groups, f.OneShot), Tree: tree(s, f)}
	if !s.Generic() {
		p.Guest.RuntimeUnits = innerboot.Runtime(s, f.Fitting)
	}
	p.Guest.Profile, p.Guest.Label, p.Guest.Proc = f.Profile, payloadLabel(s, f), f.Proc
	for _, name := range domain.DroppedCapabilities(s, host) {
		p.Guest.Drop = append(p.Guest.Drop, uint32(slices.Index(capability.Names(), name)))
	}
	var err error
	p.Guest.SystemCalls, err = syscallfilter.Compile(syscallfilter.Policy{
		Calls: s.Hardening.SystemCalls, Capabilities: domain.Capabilities(s, host),
		UserNamespaces: s.Hardening.UserNamespaces, NoSetID: domain.RootWritesToHost(s),
	})
	if err != nil {
		return nil, fmt.Errorf("[hardening] system-calls: %w", err)
	}
	for i, d := range s.Disks {
		p.Guest.Disks = append(p.Guest.Disks, guest.Disk{Tag: d.Tag, Device: "/dev/" + domain.DiskName(i)})
	}
	p.Domain, err = domain.LXC(s, host)
	return &p, err
}

// Command returns the part of a plan that depends on the units or the command alone, and is all of a virtual machine's.
// groups are those of the command's user; oneShot is nil for a container that stays.
func Command(s *config.Sandbox, groups []uint32, oneShot *OneShot) *guest.Plan {
	plan := guest.Plan{
		Name: s.Name, UUID: s.UUID,
		ReadOnly: s.Hardening.ReadOnlyKernel, Hide: s.Hardening.HideKernel, Mapped: s.Hardening.IDMap.Mapped(),
		Environment: Environment(s),
	}
	if !s.Generic() {
		plan.BootTarget, plan.Units = s.BootTarget, s.Units
		if s.Health.Command != "" {
			plan.Health = &s.Health
		}
		return &plan
	}
	plan.Command, plan.UID, plan.GID, plan.Groups = s.Command, s.Identity.UID, s.Identity.GID, groups
	plan.Directory = "/"
	if s.Identity.Home != "" {
		plan.Environment = append(plan.Environment, "HOME="+s.Identity.Home)
	}
	if s.Identity.User != "" {
		plan.Environment = append(plan.Environment, "USER="+s.Identity.User, "LOGNAME="+s.Identity.User)
	}
	if oneShot == nil {
		return &plan
	}
	plan.Console, plan.Shell, plan.Machine = true, oneShot.Shell, oneShot.Machine
	plan.Ignored = oneShot.Ignored
	if s.Identity.Home != "" {
		plan.Directory = s.Identity.Home
	}
	plan.Environment = append(plan.Environment, Environment(s)...) // Over what is known of the user.
	return &plan
}

// Environment returns the variables of [environment], each as NAME=VALUE.
func Environment(s *config.Sandbox) (list []string) {
	for _, v := range s.Environment {
		list = append(list, v.Name+"="+v.Value)
	}
	return list
}

// payloadLabel returns the SELinux context that virt-sandbox-init has to set for the payload; empty where libvirt has
// set it. libvirt may be told to leave the host's SELinux alone, or not know it.
func payloadLabel(s *config.Sandbox, f *Facts) string {
	if f.SetupLabel != "" || (f.SELinux && f.SecurityModel != "selinux") {
		return s.ProcessLabel()
	}
	return ""
}
