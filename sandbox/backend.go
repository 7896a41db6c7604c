// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
)

// backend is a kind of sandbox.
type backend interface {
	// check refuses what it cannot do, before anything is made.
	check(o *Options) error
	// start makes a sandbox up to where the init inside has said hello and waits for console.Call.
	start(ctx context.Context, o *Options) (machine, error)
}

// machine is a sandbox that a backend has made.
type machine interface {
	// link is the connection to the init inside; files reports whether both ends are on one kernel.
	link() (connection io.ReadWriteCloser, files bool)
	// PrepareTeardown is told that the command has ended, before the init inside may go.
	PrepareTeardown()
	// Stop ends it and removes all that it had. It is called once.
	Stop() error
}

// backendOf chooses by the scheme of a URI, and names those that there are.
func backendOf(uri string) (backend, error) {
	switch {
	case uri == "lxc:///" || uri == "lxc:///system" || uri == "lxc://" || uri == "lxc:":
		return &lxc{}, nil
	case uri == "qemu:///system" || uri == "qemu:///session":
		return &qemu{}, nil
	}
	return nil, fmt.Errorf("connection URI %q is not supported; sandboxes run at lxc:///, qemu:///system and "+
		"qemu:///session", uri)
}

// freshName returns a name that nobody else has.
func freshName() string {
	var number [5]byte
	_, _ = rand.Read(number[:]) // It never fails.
	return "sandbox-" + hex.EncodeToString(number[:])
}

// Sandbox is one that has been started, with a command that waits to be called.
type Sandbox struct {
	options Options
	machine machine

	once    sync.Once
	stopErr error
}

// Start makes a sandbox in which everything is ready for the command, which Attach runs. The caller calls Stop in any
// case.
//
//	s, err := sandbox.Start(ctx, sandbox.Options{Command: []string{"sort"}})
//	if err != nil {
//		return err
//	}
//	defer s.Stop()
//	status, err := s.Attach(ctx, sandbox.Streams{Stdin: input, Stdout: output, Stderr: os.Stderr})
func Start(ctx context.Context, o Options) (*Sandbox, error) {
	if o.URI == "" {
		o.URI = DefaultURI
	}
	if o.Name == "" {
		o.Name = freshName()
	}
	b, err := backendOf(o.URI)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := b.check(&o); err != nil {
		return nil, err
	}
	m, err := b.start(ctx, &o)
	if err != nil {
		return nil, err
	}
	return &Sandbox{options: o, machine: m}, nil
}

// Name is that of the domain.
func (s *Sandbox) Name() string { return s.options.Name }
