// SPDX-License-Identifier: Apache-2.0

// Package machine gives a container a name with systemd-machined(8), the sandbox's own, by which machinectl and the
// option -M of systemctl and journalctl find it. In: a name and the processes of a container; out: a registration. The
// helper calls it, and nothing fails with it.
//
// libvirt registers each container as lxc-NUMBER-NAME, with the container's first process as the leader, and needs
// that: a libvirtd that starts anew asks machined for the machine that its controller is in, and ends the container
// where there is none or where the scope is not named like the machine. machined in turn lets a process lead one
// machine only. So libvirt's machine gets the controller as its leader, and ours the first process.
//
// libvirt's is of class vm from then on: who enters the namespaces of its leader would be on the host.
package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
)

// Container is what is registered.
type Container struct {
	Name       string // see IsName
	Unit       string // of the host that runs it; machined forgets the machine when it goes down
	Controller int    // number of the libvirt_lxc process
	Init       int    // number of the first process
}

// Machine is one that machined knows.
type Machine struct {
	Name       string
	Class      string
	Service    string // who registered it
	Unit       string
	Leader     uint32
	id         []byte
	root       string
	interfaces []int32
}

// service says that a machine is one of ours.
const service = "virt-sandbox"

// Errors of Client.
var (
	// ErrNone says that machined does not run, or does not know the machine.
	ErrNone = errors.New("systemd-machined knows no such machine")
	// ErrTaken says that somebody else's machine has the name.
	ErrTaken = errors.New("systemd-machined has another machine of that name")
)

// IsName reports whether text can be the name of a machine: it is a hostname, as systemd has it.
func IsName(text string) bool {
	for label := range strings.SplitSeq(text, ".") {
		if !ascii.Begins(label, "") || !ascii.Consists(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return len(text) <= 64
}

// HasFile reports whether machined keeps a file of a machine, below the root of a host. It is quicker to find out than
// by asking, and does not start machined.
func HasFile(root, name string) bool {
	_, err := os.Lstat(filepath.Join(root, "/run/systemd/machines", name))
	return err == nil
}

// Client talks to systemd-machined. Each call connects anew.
type Client struct {
	connect func(context.Context) (bus, error)
}

// New returns a client of this host's.
func New() *Client { return &Client{connectSystem} }

// Register gives a container its name. While its unit is asked for, within calls a function: machined takes the unit
// whose cgroup the leader is in at that moment, so within moves it there. Where it fails, all is as libvirt made it.
// Errors: ErrNone where libvirt has not registered the container, ErrTaken.
func (c *Client) Register(ctx context.Context, r Container, within func(do func() error) error) error {
	b, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer b.Close()
	libvirts, err := b.ofProcess(ctx, r.Controller)
	if err != nil {
		return err
	}
	old, err := b.named(ctx, r.Name)
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return err
	case !old.isOurs(r.Unit):
		return fmt.Errorf("%w: %s, of %s", ErrTaken, r.Name, old.Service)
	default:
		if err := b.unregister(ctx, r.Name); err != nil {
			return err
		}
	}
	ours := libvirts
	ours.Name, ours.Class, ours.Service, ours.Leader = r.Name, "container", service, uint32(r.Init)
	beside := libvirts
	beside.Class, beside.Leader = "vm", uint32(r.Controller)
	if err := b.unregister(ctx, libvirts.Name); err != nil {
		return err
	}
	if err := b.register(ctx, beside); err != nil {
		return errors.Join(err, b.register(ctx, libvirts))
	}
	if err := within(func() error { return b.register(ctx, ours) }); err != nil {
		return errors.Join(err, b.unregister(ctx, libvirts.Name), b.register(ctx, libvirts))
	}
	return nil
}

// Unregister takes the name of the container of a unit away, if it has it.
func (c *Client) Unregister(ctx context.Context, name, unit string) error {
	b, err := c.connect(ctx)
	if err != nil {
		return ignoreNone(err)
	}
	defer b.Close()
	m, err := b.named(ctx, name)
	if err != nil || !m.isOurs(unit) {
		return ignoreNone(err)
	}
	return ignoreNone(b.unregister(ctx, name))
}

// Find returns the machine that a process belongs to. Errors: ErrNone.
func (c *Client) Find(ctx context.Context, pid int) (Machine, error) {
	b, err := c.connect(ctx)
	if err != nil {
		return Machine{}, err
	}
	defer b.Close()
	return b.ofProcess(ctx, pid)
}

func (m Machine) isOurs(unit string) bool { return m.Service == service && m.Unit == unit }

func ignoreNone(err error) error {
	if errors.Is(err, ErrNone) {
		return nil
	}
	return err
}
