// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// testHost describes a host of the test driver, which is in libvirt's own library and needs no daemon.
const testHost = `<node>
<domain type="test"><name>test</name><memory>1024</memory><os><type>hvm</type></os></domain>
<network><name>default</name><bridge name="virbr0"/><ip address="192.168.122.1" netmask="255.255.255.0"/></network>
</node>`

// testClient has connections each to a host of its own, by the URI of the LXC driver.
func testClient(t *testing.T) *Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "host.xml")
	if err := os.WriteFile(file, []byte(testHost), 0o600); err != nil {
		t.Fatal(err)
	}
	c := New(Options{URI: "lxc:///"})
	c.dial = func(string) (*libvirt.Connect, error) { return libvirt.NewConnect("test://" + file) }
	c.controls = func(int, string) bool { return true }
	return c
}

func TestCheckURI(t *testing.T) {
	cases := []struct {
		uri string
		ok  bool
	}{
		{"lxc:///", true}, {"lxc:///system", true}, {"lxc://", true}, {"lxc:/", true},
		{"", false}, {"lxc", false}, {"lxc:elsewhere", false}, {"lxc://host/", false}, {"lxc://user@/", false},
		{"lxc+ssh://host/", false}, {"lxc+ssh:///", false}, {"qemu:///system", false},
		{"lxc:///session", false}, {"lxc://%zz/", false},
	}
	for _, c := range cases {
		if err := CheckURI(c.uri); (err == nil) != c.ok {
			t.Errorf("%q: got %v, want ok=%t", c.uri, err, c.ok)
		}
	}
}

// A connection that fails says to what, why, and what to look at.
func TestConnectFails(t *testing.T) {
	refused := func(string) (*libvirt.Connect, error) {
		return nil, libvirt.Error{Code: libvirt.ERR_SYSTEM_ERROR, Message: "no such socket"}
	}
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	silent := func(string) (*libvirt.Connect, error) { <-never; return nil, errors.New("too late") }
	for _, c := range []struct {
		name     string
		client   *Client
		dial     func(string) (*libvirt.Connect, error)
		want     string
		noAnswer bool
	}{
		{"another driver", New(Options{URI: "qemu:///system"}), refused, `connection URI "qemu:///system" is not supported`,
			false},
		{"refused", New(Options{URI: "lxc:///"}), refused,
			"connect to libvirt at lxc:///: no such socket; is libvirtd (or virtlxcd) running?", false},
		{"refused in time", New(Options{URI: "lxc:///", ConnectTimeout: time.Minute}), refused,
			"connect to libvirt at lxc:///: no such socket; is libvirtd (or virtlxcd) running?", false},
		{"QEMU", NewQEMU(Options{URI: "qemu:///system"}), refused, "connect to libvirt at qemu:///system: no such socket; " +
			"is libvirtd (or virtqemud) running, and its QEMU driver installed?", false},
		{"no answer", New(Options{URI: "lxc:///", ConnectTimeout: time.Millisecond}), silent,
			"connect to libvirt at lxc:///: libvirt does not answer", true},
	} {
		c.client.dial, c.client.root = c.dial, t.TempDir()
		connection, err := c.client.Connect()
		if connection != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) ||
			errors.Is(err, ErrNoAnswer) != c.noAnswer || errors.Is(err, ErrNoConnection) != (c.name != "another driver") {
			t.Errorf("%s: got %v, %v", c.name, connection, err)
		}
	}
}

// The daemon to look at is the one that the host has: libvirtd, or that of the driver alone.
func TestHints(t *testing.T) {
	for _, c := range []struct{ daemons, lxc, qemu string }{
		{"", "libvirtd (or virtlxcd)", "libvirtd (or virtqemud)"},
		{"sbin/libvirtd", "libvirtd", "libvirtd"},
		{"sbin/virtlxcd sbin/virtnetworkd", "virtlxcd", "libvirtd (or virtqemud)"},
		{"bin/virtlxcd bin/virtqemud", "virtlxcd", "virtqemud"}, // where /usr/sbin is a link to bin
		{"sbin/libvirtd sbin/virtlxcd", "libvirtd (or virtlxcd)", "libvirtd"},
	} {
		root := t.TempDir()
		for _, daemon := range strings.Fields(c.daemons) {
			hosttest.Add(t, root, map[string]string{"/usr/" + daemon: ""})
		}
		if got := hintLXC(root); got != "is "+c.lxc+" running?" {
			t.Errorf("%q: %s", c.daemons, got)
		}
		if strings.Contains(c.daemons, "virtnetworkd") && hintRunning(root, "virtnetworkd") != "is virtnetworkd running?" {
			t.Errorf("%q: %s", c.daemons, hintRunning(root, "virtnetworkd"))
		}
		if got := hintQEMU(root); got != "is "+c.qemu+" running, and its QEMU driver installed?" {
			t.Errorf("%q: %s", c.daemons, got)
		}
	}
}

// lose has libvirt take a connection for one that is lost.
func lose(t *testing.T, c *Connection) {
	t.Helper()
	if _, err := c.connect.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWithReconnect(t *testing.T) {
	failed, gone := errors.New("failed"), errors.New("libvirtd is gone")
	for _, c := range []struct {
		name    string
		lost    int // how many connections are lost one after another
		refused int // how many attempts to connect again are refused
		fails   bool
		want    error
		calls   int
	}{
		{name: "nothing happens", calls: 1},
		{name: "it fails by itself", fails: true, want: failed, calls: 1},
		{name: "a restart", lost: 1, calls: 2},
		{name: "a slow restart", lost: 1, refused: 3, calls: 2},
		{name: "two restarts", lost: 2, calls: 3},
		{name: "it fails after a restart", lost: 1, fails: true, want: failed, calls: 2},
		{name: "libvirtd does not come back", lost: 1, refused: 1 << 30, want: ErrNoAnswer, calls: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := testClient(t)
			client.pause, client.patience = time.Millisecond, time.Minute
			if errors.Is(c.want, ErrNoAnswer) {
				client.patience = 100 * time.Millisecond
			}
			first, err := client.Connect()
			if err != nil {
				t.Fatal(err)
			}
			dial, refused := client.dial, c.refused
			client.dial = func(uri string) (*libvirt.Connect, error) {
				if refused--; refused >= 0 {
					return nil, errors.New("refused")
				}
				return dial(uri)
			}
			calls := 0
			err = client.WithReconnect(t.Context(), first, func(connection *Connection) error {
				if calls++; calls <= c.lost {
					lose(t, connection)
					return gone
				}
				if _, err := connection.HostMemory(); err != nil {
					t.Error(err)
				}
				if c.fails {
					return failed
				}
				return nil
			})
			if !errors.Is(err, c.want) || calls != c.calls {
				t.Errorf("got %v after %d calls", err, calls)
			}
		})
	}
}

// Whoever is asked to end does not wait for a libvirtd that does not come.
func TestWithReconnectIsCancelled(t *testing.T) {
	client := testClient(t)
	first, err := client.Connect()
	if err != nil {
		t.Fatal(err)
	}
	asked := errors.New("asked to end")
	ctx, cancel := context.WithCancelCause(t.Context())
	client.dial = func(string) (*libvirt.Connect, error) {
		cancel(asked)
		return nil, errors.New("refused")
	}
	err = client.WithReconnect(ctx, first, func(connection *Connection) error {
		lose(t, connection)
		return errors.New("libvirtd is gone")
	})
	if !errors.Is(err, asked) {
		t.Errorf("got %v", err)
	}
}

// Where libvirtd takes connections and says nothing, there is no sense in waiting for another.
func TestWithReconnectToSilence(t *testing.T) {
	client := testClient(t)
	first, err := client.Connect()
	if err != nil {
		t.Fatal(err)
	}
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	client.timeout = time.Millisecond
	client.dial = func(string) (*libvirt.Connect, error) { <-never; return nil, errors.New("too late") }
	err = client.WithReconnect(t.Context(), first, func(connection *Connection) error {
		lose(t, connection)
		return errors.New("libvirtd is gone")
	})
	if !errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
}
