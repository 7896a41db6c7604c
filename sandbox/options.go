// SPDX-License-Identifier: Apache-2.0

// Package sandbox runs one command in a one-shot sandbox, which is gone when the command has ended. In: Options; out:
// the command's output and exit status. It is what virt-sandbox is made of, and for every program that wants the same.
// There is no state but that of each Sandbox; of one process many can run at once.
package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/field"
)

// DefaultURI is where root's sandboxes run when nothing else is said.
const DefaultURI = "lxc:///"

// Options describe a sandbox and its command. Only Command must be there.
type Options struct {
	URI  string // of libvirt: lxc:///; empty for DefaultURI
	Name string // of the domain; empty for one that nobody else has

	Command     []string          // with its arguments; without a slash it is looked for in the PATH inside
	Environment []config.Variable // over PATH, HOME, USER and LOGNAME, which are those of the user
	User        string            // of the host, who the command runs as; empty for root
	Privileged  bool              // root, said so; not with User

	Root string // directory that is the root, read-only; empty for the host's own
	// what is writable: directories and images of the host, and tmpfs; and places inside at others
	Mounts    []config.Mount
	ReadWrite []string  // directories of the host that are writable at their own place
	Includes  []Include // files of the host that are copied into Mounts before

	Network    config.NetworkMode // empty for NetworkPrivate, which has loopback and Interfaces
	Interfaces []config.Interface // the first is eth0; one without Source and Bridge is on the network DefaultNetwork
	Security   config.Security    // the zero value is SecurityDynamic
	Memory     config.Size        // bytes; 0 for no bound
	CPUs       float64            // share of CPUs; 0 for no bound

	// Ignored are signals that the command ignores from its start, as one of nohup(1) does.
	Ignored []syscall.Signal
	Shell   bool          // whether root has a shell inside on a console of its own, for the administrator
	Timeout time.Duration // after which the command is ended; 0 for never
	Kernel  Kernel        // of a virtual machine
	Disks   []string      // TAG=PATH[,format=FORMAT], as /dev/disk/by-tag/TAG

	// Note takes what a person may want to know, a line at a time; nil for silence.
	Note func(format string, args ...any)
	// Log takes what the sandbox says on its own console, and not the command; nil for silence.
	Log io.Writer
}

// Include is a file of the host that a sandbox gets a copy of, at a place in one of its mounts.
type Include struct{ Target, Source string }

// Kernel is what a virtual machine boots; each is found where it is empty.
type Kernel struct{ Version, Path, Modules string }

func (o *Options) note(format string, args ...any) {
	if o.Note != nil {
		o.Note(format, args...)
	}
}

// mounts returns all mounts in the order in which they are made.
func (o *Options) mounts() ([]config.Mount, error) {
	all := append([]config.Mount(nil), o.Mounts...)
	for _, dir := range o.ReadWrite {
		// A relative one is the caller's, as for any command.
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return nil, field.Errorf("%s %s: %w", field.ReadWrite, dir, err)
		}
		m, err := config.ParseMount("host-bind:" + absolute + "=" + absolute)
		if err != nil {
			return nil, field.Errorf("%s %s: %w", field.ReadWrite, dir, err)
		}
		all = append(all, m)
	}
	for _, m := range all {
		if !m.Kind.HasHostSource() {
			continue
		}
		if _, err := os.Stat(m.Source); err != nil {
			return nil, fmt.Errorf("mount at %s: %w", m.Target, err)
		}
	}
	return all, nil
}

// check refuses what no backend can do.
func (o *Options) check() error {
	switch {
	case len(o.Command) == 0 || o.Command[0] == "":
		return errors.New("there is no command to run")
	case o.Privileged && o.User != "":
		return field.Errorf("%s and %s exclude each other: one is root, the other a user",
			field.Privileged, field.User)
	case o.Timeout < 0:
		return fmt.Errorf("a timeout of %v is over before it begins", o.Timeout)
	}
	for _, v := range o.Environment {
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") || strings.Contains(v.Value, "\x00") {
			return field.Errorf("%s %q: it is not NAME=VALUE", field.Environment, v.Name+"="+v.Value)
		}
	}
	if err := o.checkNetwork(); err != nil {
		return err
	}
	if o.Name == "" {
		return nil
	}
	return config.CheckName(o.Name)
}

func (o *Options) checkNetwork() error {
	if o.Network != "" && o.Network != config.NetworkPrivate && o.Network != config.NetworkHost {
		return field.Errorf("%s %q is not private or host", field.Networks, o.Network)
	}
	for _, i := range o.Interfaces {
		if err := i.Check(); err != nil {
			return field.Errorf("%s %s: %w", field.Networks, i, err)
		}
	}
	if err := config.CheckInterfaces(o.Network, o.Interfaces); err != nil {
		return field.Errorf("%s: %w", field.Networks, err)
	}
	return nil
}

// sandbox puts what is the same for all kinds of sandboxes into their terms.
func (o *Options) sandbox() (*config.Sandbox, error) {
	s := config.New(o.Name)
	s.UUID = uuid.NewString()
	s.Command, s.Environment = o.Command, o.Environment
	s.Limits.Memory, s.Limits.CPUs = o.Memory, o.CPUs
	if o.Network != "" {
		s.Network = o.Network
	}
	for _, i := range o.Interfaces {
		if i.Source == "" && i.Bridge == "" {
			i.Source = config.DefaultNetwork
		}
		s.Interfaces = append(s.Interfaces, i)
	}
	var err error
	if s.Mounts, err = o.mounts(); err != nil {
		return nil, err
	}
	for _, text := range o.Disks {
		d, err := parseDisk(text)
		if err != nil {
			return nil, err
		}
		s.Disks = append(s.Disks, d)
	}
	if err := s.CheckStorage(); err != nil {
		return nil, field.Errorf("%s and %s: %w", field.Mounts, field.Disks, err)
	}
	if s.Security, err = security(o.Security); err != nil {
		return nil, err
	}
	return s, nil
}
