// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/image"
	"github.com/virt-sandbox/virt-sandbox/internal/initrd"
	"github.com/virt-sandbox/virt-sandbox/internal/network"
	"github.com/virt-sandbox/virt-sandbox/internal/oneshot"
	"github.com/virt-sandbox/virt-sandbox/internal/programs"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
)

// qemu has sandboxes in virtual machines of libvirt's QEMU driver: on a kernel of their own, without an operating
// system.
type qemu struct{}

// sessionURI is where everybody has virtual machines of their own.
const sessionURI = "qemu:///session"

// machineMemory is what a machine has where nothing is said.
const machineMemory = 512 << 20

func (*qemu) check(o *Options) error {
	switch {
	case runtime.GOARCH != "amd64":
		return fmt.Errorf("virtual machines are made on x86-64 only, and this is %s; use lxc:///", runtime.GOARCH)
	case o.URI == "qemu:///system" && os.Geteuid() != 0:
		return errors.New("root is needed at qemu:///system; run it with sudo, or use qemu:///session")
	case o.Network == config.NetworkHost:
		return field.Errorf("%s host: a virtual machine has a kernel of its own, and cannot have the "+
			"host's network; give it an interface, such as %s dhcp", field.Networks, field.Networks)
	}
	if o.URI == sessionURI {
		for _, i := range o.Interfaces {
			if i.Bridge != "" || i.Filter != "" || (i.Source != "" && i.Source != config.DefaultNetwork) {
				return field.Errorf("%s %s: source=, bridge= and filter= need qemu:///system; at %s an interface "+
					"is on a network of QEMU's own", field.Networks, i, o.URI)
			}
		}
	}
	return nil
}

func (*qemu) start(ctx context.Context, o *Options) (machine, error) {
	s, groups, err := described(o)
	if err != nil {
		return nil, err
	}
	for _, i := range o.Includes {
		if err := include(i, s.Mounts); err != nil {
			return nil, err
		}
	}
	base, err := stateBase()
	if err != nil {
		return nil, err
	}
	state, err := makeStateDir(base, s.Name)
	if err != nil {
		return nil, err
	}
	m := &virtual{options: o, state: state, groups: groups}
	if err := m.start(ctx, s); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

// described puts options into the terms of sandboxes.
func described(o *Options) (*config.Sandbox, []uint32, error) {
	s, err := o.sandbox()
	if err != nil {
		return nil, nil, err
	}
	if s.Limits.Memory == 0 {
		s.Limits.Memory = machineMemory
	}
	if o.URI == sessionURI {
		for n := range s.Interfaces {
			s.Interfaces[n].Source = "" // QEMU's own network, in user space
		}
	}
	t := oneshot.Spec{Sandbox: s}
	name := o.User
	if name == "" && !o.Privileged && os.Geteuid() != 0 {
		caller, err := user.Current()
		if err != nil {
			return nil, nil, fmt.Errorf("find the caller's account: %w", err)
		}
		name = caller.Username
	}
	if err := identify(name, &t); err != nil {
		return nil, nil, err
	}
	return s, t.Groups, nil
}

// layout is how a machine gets what a sandbox has: what libvirt is to give it, and what the init inside makes of that.
type layout struct {
	shares  []domain.Share
	disks   []domain.Disk
	inside  guest.Machine
	modules []string
	spare   map[string]string
	runAs   *domain.Account
}

// layOut puts the root first, then the mounts in the order given, then the disks. Without a directory as root, the
// machine has the view.
func layOut(o *Options, s *config.Sandbox, view *roottree.View) (*layout, error) {
	l := layout{
		inside:  guest.Machine{Port: domain.PortName},
		modules: []string{"virtio_pci", "virtio_console", "9pnet_virtio", "9p"},
	}
	if o.Root == "" {
		l.addView(view)
	} else if err := l.addRoot(o.Root); err != nil {
		return nil, err
	}
	for i, m := range inOrder(s.Mounts) {
		switch {
		case m.Kind.ShowsMemory():
			l.inside.Mounts = append(
				l.inside.Mounts,
				guest.MachineMount{Kind: guest.MountRAM, Target: m.Target, Size: uint64(m.Size)},
			)
		case m.Kind.ShowsHostFiles():
			if info, err := os.Stat(m.Source); err != nil || !info.IsDir() {
				return nil, fmt.Errorf(
					"mount at %s: a virtual machine can have directories of the host, and %s is none",
					m.Target,
					m.Source,
				)
			}
			tag := fmt.Sprintf("mount%d", i)
			l.shares = append(l.shares, domain.Share{Tag: tag, Dir: m.Source, ReadOnly: !m.Kind.IsWritable()})
			l.inside.Mounts = append(l.inside.Mounts, guest.MachineMount{Kind: guest.MountShare, Source: tag, Target: m.Target})
			if err := l.account(m.Source, 0o777, field.Setting{Value: "mount at " + m.Target}); err != nil {
				return nil, err
			}
		case m.Kind.ShowsImage():
			serial := fmt.Sprintf("image%d", i)
			l.addDisk(domain.Disk{Serial: serial, File: m.Source, Format: string(m.Format), ReadOnly: !m.Kind.IsWritable()})
			l.inside.Mounts = append(
				l.inside.Mounts,
				guest.MachineMount{Kind: guest.MountImage, Source: serial, Target: m.Target},
			)
		case m.Kind.ShowsInside():
			l.inside.Mounts = append(
				l.inside.Mounts,
				guest.MachineMount{Kind: guest.MountBind, Source: m.Source, Target: m.Target},
			)
		}
		if o.Root != "" && !madeInside(m.Target) && !hasPlaces(o.Root, m.Target) {
			l.inside.Overlay = true
		}
	}
	if l.inside.Overlay {
		l.modules = append(l.modules, "overlay")
	}
	for i, d := range s.Disks {
		if !isImage(d) {
			return nil, field.Errorf("%s %s: a virtual machine can have a file with an image, and no device "+
				"of the host; use lxc:///", field.Disks, d)
		}
		serial := fmt.Sprintf("disk%d", i) // A tag may have more characters than a serial number.
		l.addDisk(domain.Disk{Serial: serial, File: d.Source, Format: string(d.Format)})
		l.inside.Disks = append(l.inside.Disks, guest.MachineDisk{Serial: serial, Tag: d.Tag})
	}
	return &l, nil
}

// inOrder returns mounts as they are made: one below another after it, and guest-binds after all others.
func inOrder(mounts []config.Mount) []config.Mount {
	mounts = slices.Clone(mounts)
	isBind := func(m config.Mount) int {
		if m.Kind.ShowsInside() {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(mounts, func(a, b config.Mount) int {
		return cmp.Or(isBind(a)-isBind(b), strings.Compare(a.Target, b.Target))
	})
	return mounts
}

// addNetwork tells the init inside what the interfaces shall have.
func (l *layout) addNetwork(interfaces []network.Interface) {
	if len(interfaces) > 0 {
		l.inside.Network = &guest.MachineNetwork{Interfaces: interfaces, Limit: config.NetworkTimeout}
		l.modules = append(l.modules, "virtio_net", "af_packet")
	}
}

// addDisk gives the machine a disk, and the modules for what may be on it.
func (l *layout) addDisk(d domain.Disk) {
	if len(l.disks) == 0 {
		l.modules = append(l.modules, "virtio_blk")
		l.spare = map[string]string{"fs-ext4": "ext4", "fs-xfs": "xfs", "fs-btrfs": "btrfs"}
	}
	l.disks = append(l.disks, d)
}

// account has the emulator run as the owner of a directory for which others lack a permission that it needs, as root
// where two have different owners. Else it runs as libvirt's own user, who may read what everybody may.
func (l *layout) account(dir string, needed os.FileMode, what field.Setting) error {
	info, err := os.Stat(dir)
	if err != nil {
		return field.Errorf("%s: %w", what, err)
	}
	owner, isUnix := info.Sys().(*syscall.Stat_t)
	if os.Geteuid() != 0 || !isUnix || info.Mode().Perm()&needed == needed {
		return nil
	}
	account := domain.Account{UID: owner.Uid, GID: owner.Gid}
	if l.runAs != nil && *l.runAs != account {
		account = domain.Account{}
	}
	l.runAs = &account
	return nil
}

// madeInside tells of the directories that a machine has for itself.
func madeInside(target string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(target, "/"), "/")
	return top == "run" || top == "tmp" || top == "dev"
}

func hasPlaces(root string, places ...string) bool {
	for _, p := range places {
		if info, err := os.Stat(filepath.Join(root, p)); err != nil || !info.IsDir() {
			return false
		}
	}
	return true
}

// describe returns libvirt's view of the machine, with all files it needs made.
func (m *virtual) describe(s *config.Sandbox, model string) (*domain.Machine, error) {
	o := m.options
	view, err := m.view(s)
	if err != nil {
		return nil, err
	}
	l, err := layOut(o, s, view)
	if err != nil {
		return nil, err
	}
	for _, d := range l.disks {
		// QEMU asks only for other QEMUs.
		if user, err := image.InUse(d.File); err != nil {
			return nil, err
		} else if user != "" {
			return nil, fmt.Errorf("%s is in use by %s; two of them would destroy each other's data", d.File, user)
		}
	}
	if err := m.labelDisks(s, l.disks); err != nil {
		return nil, err
	}
	interfaces, err := m.interfaces(s)
	if err != nil {
		return nil, err
	}
	l.addNetwork(interfaces)
	kernel, err := initrd.FindKernel(o.Kernel.Version, o.Kernel.Path, o.Kernel.Modules)
	if err != nil {
		return nil, err
	}
	program, err := programs.Find("virt-sandbox-init")
	if err != nil {
		return nil, err
	}
	if m.cache, err = initrd.DefaultCache(); err != nil {
		return nil, err
	}
	cached, err := m.cache.Initrd(kernel, initrd.Options{Init: program, Modules: l.modules, Spare: l.spare})
	if err != nil {
		return nil, err
	}
	account := ""
	if l.runAs != nil {
		account = l.runAs.String()
	}
	image, err := m.cache.Kernel(kernel, account)
	if err != nil {
		return nil, err
	}
	if err := m.labelShared(image); err != nil {
		return nil, err
	}
	rom, err := m.firmware(model)
	if err != nil {
		return nil, err
	}
	plan := boot.Command(s, m.groups, &boot.OneShot{Shell: o.Shell, Ignored: o.Ignored, Machine: &l.inside})
	if err := initrd.Compose(m.state.file("initrd"), cached, plan); err != nil {
		return nil, err
	}
	// Nobody else may connect to the sockets; the emulator is handed them open.
	if err := os.Mkdir(m.state.file("sockets"), 0o700); err != nil {
		return nil, fmt.Errorf("make a directory for sockets: %w", err)
	}
	return &domain.Machine{
		Name: s.Name, UUID: s.UUID, Title: "virt-sandbox: " + s.Command[0],
		Kernel: image, Initrd: m.state.file("initrd"), Arguments: domain.KernelArguments(o.Log != nil), Firmware: rom,
		Memory: s.Limits.Memory, CPUs: s.Limits.CPUs, Shares: l.shares, Disks: l.disks, Interfaces: s.Interfaces,
		Socket: m.state.file(
			"sockets/console",
		), Log: m.state.file("sockets/log"), Shell: o.Shell, Security: s.Security, RunAs: l.runAs,
	}, nil
}

// interfaces says what the machine's interfaces shall have, and makes sure of what they are on.
func (m *virtual) interfaces(s *config.Sandbox) (list []network.Interface, err error) {
	if m.options.URI != sessionURI {
		list, err = hostnet.New(config.OpenStore(), m.options.note).PrepareOneShot(m.libvirt, s)
		var wrong *hostnet.InterfaceError
		if errors.As(err, &wrong) {
			return nil, field.Errorf("%s %s: %w", field.Networks, wrong.Interface, wrong.Err)
		}
		return list, err
	}
	for n, i := range s.Interfaces {
		list = append(list, hostnet.Setup(n, i))
	}
	return list, nil
}

// firmware finds one that does no more than start a kernel; empty where QEMU has not got it. Under AppArmor it is a
// copy: libvirt makes no profile for a machine with a firmware from this directory, where it knows of none.
func (m *virtual) firmware(model string) (string, error) {
	const file = "/usr/share/qemu/qboot.rom"
	if _, err := os.Stat(file); err != nil {
		return "", nil
	}
	if model == "apparmor" {
		return m.cache.Copy(file)
	}
	return file, nil
}

func (m *virtual) link() (io.ReadWriteCloser, bool) { return m.connection, false }
