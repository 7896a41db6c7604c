// SPDX-License-Identifier: Apache-2.0

// Package virt is the way to libvirt. In: a connection URI, and the XML of domains; out: connections that survive a
// restart of libvirtd, domains with what the rest asks of them, and the files that libvirt's LXC driver keeps of a
// domain. Whoever needs libvirt calls it; no other package imports the binding libvirt.org/go/libvirt.
//
// What libvirt says of a failure comes without the numbers around it, and is wrapped for errors.Is: ErrNoDomain,
// ErrTaken.
package virt

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"time"

	"libvirt.org/go/libvirt"
)

// Options are what a Client is built from.
type Options struct {
	// URI is what to connect to, such as lxc:///.
	URI string
	// ConnectTimeout is how long libvirt may take to answer an attempt to connect; 0 means a minute. An attempt that takes
	// longer goes on in the background. Any other answer may take half as long again, and that to the start of a domain
	// four minutes.
	ConnectTimeout time.Duration
}

// Client opens connections to libvirt. Its methods may be called from several goroutines.
type Client struct {
	uri     string
	root    string // directory that the host's daemons are looked for below; empty for /
	timeout time.Duration
	check   func(uri string) error
	hint    func(root string) string // what to look at when libvirt cannot be reached
	dial    func(uri string) (*libvirt.Connect, error)
	// controls reports whether a process is the libvirt_lxc of a domain. QEMU's have none.
	controls func(pid int, domain string) bool

	pause    time.Duration // between two attempts to reach the next libvirtd
	patience time.Duration // how long the next libvirtd may take to come
}

// New returns a Client for libvirt's LXC driver.
func New(o Options) *Client {
	c := newClient(o)
	c.check, c.hint, c.controls = CheckURI, hintLXC, isController
	return c
}

// NewQEMU returns a Client for libvirt's QEMU driver.
func NewQEMU(o Options) *Client {
	c := newClient(o)
	c.hint = hintQEMU
	return c
}

func newClient(o Options) *Client {
	return &Client{
		uri: o.URI, timeout: cmp.Or(o.ConnectTimeout, answerLimit), dial: libvirt.NewConnect,
		check: func(string) error { return nil }, controls: func(int, string) bool { return true },
		pause: 200 * time.Millisecond, patience: 20 * time.Second,
	}
}

// CheckURI reports whether uri is one that containers can be run at: the local LXC driver.
func CheckURI(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "lxc" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		(u.Path != "/" && u.Path != "" && u.Path != "/system") {
		return fmt.Errorf("connection URI %q is not supported; containers run at lxc:///", uri)
	}
	return nil
}

// Connect opens a connection to libvirt; the caller closes it. Errors: ErrNoConnection, ErrNoAnswer.
func (c *Client) Connect() (*Connection, error) {
	if err := c.check(c.uri); err != nil {
		return nil, err
	}
	connection, err := within(c.timeout, func() (*libvirt.Connect, error) { return c.dial(c.uri) })
	if errors.Is(err, ErrNoAnswer) {
		return nil, &noConnection{fmt.Errorf("connect to libvirt at %s: %w", c.uri, err)}
	}
	if err != nil {
		return nil, &noConnection{fmt.Errorf("connect to libvirt at %s: %w; %s", c.uri, plain(err), c.hint(c.root))}
	}
	return &Connection{connect: connection, uri: c.uri, patience: c.timeout * 3 / 2, controls: c.controls}, nil
}

// noConnection is why there is no connection to libvirt.
type noConnection struct{ error }

// Unwrap returns what it stands for.
func (e *noConnection) Unwrap() error { return e.error }

// Is implements what errors.Is asks for.
func (*noConnection) Is(target error) bool { return target == ErrNoConnection }
