// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A container of -N has what it asks for, and nothing of it stays.
func TestOneshotNetwork(t *testing.T) {
	rig.On(t, rig.Native)
	networksOf(t, func(args ...string) *exec.Cmd { return once(args...) })
}

// The same in a virtual machine.
func TestMachineNetwork(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	_ = machineKernel(t)
	leavesNothing(t)
	networksOf(t, func(args ...string) *exec.Cmd { return onceMachine(t, args...) })
}

func networksOf(t *testing.T, sandboxed func(args ...string) *exec.Cmd) {
	makeNetwork(t, "on")
	makeBridge(t)
	serveDHCP(t, 10)
	before := snapshot(t)
	cases := []struct {
		name    string
		options []string
		command string // beside what tells what the network is
		host    string // that answers
		want    []string
	}{
		{"dhcp", []string{"-N", "dhcp,source=t-net", "-S", "nobody"}, "true", "192.168.221.1", []string{
			`eth0 +inet 192\.168\.221\.\d+/24 brd 192\.168\.221\.255 .*valid_lft 1\d\dsec`,
			`default via 192\.168\.221\.1 dev eth0 proto dhcp`,
			`nameserver 192\.168\.221\.1\nsearch t-net\.test\n`,
		}},
		{"static", []string{"-N", "source=t-net,address=192.168.221.200,address=fd00:221::5/64," +
			"route=10.1.0.0/16%192.168.221.1",
			"-N", "bridge=t-br,mac=52:54:00:22:10:01,address=10.221.0.9/24%10.221.0.200,dns=10.221.0.77"},
			"cat /sys/class/net/eth1/address", "10.221.0.1", []string{
				`eth0 +inet 192\.168\.221\.200/24`, `eth0 +inet6 fd00:221::5/64`, `eth1 +inet 10\.221\.0\.9/24 brd 10\.221\.0\.200`,
				`10\.1\.0\.0/16 via 192\.168\.221\.1 dev eth0`,
				`nameserver 192\.168\.221\.1\nnameserver fd00:221::1\nnameserver 10\.221\.0\.77\n`, `52:54:00:22:10:01\n`,
			}},
		// It is shorter than the command, and the kernel takes an address away whose lease has ended.
		{"lease", []string{"-N", "dhcp,bridge=t-br"}, "sleep 13", "10.221.0.1", []string{`eth0 +inet 10\.221\.0\.`}},
	}
	t.Run("all", func(t *testing.T) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				script := c.command + "; ip -o addr show scope global; ip route; cat /etc/resolv.conf; busybox wget -qO- " +
					serve(t, c.host)
				o := runCommand(t, sandboxed(append(c.options, "--", "sh", "-c", script)...))
				if o.status != 0 || !strings.HasSuffix(o.stdout, "\nreached") {
					t.Errorf("%+v", o)
				}
				for _, w := range c.want {
					if !regexp.MustCompile(w).MatchString(o.stdout) {
						t.Errorf("no %q in %q", w, o.stdout)
					}
				}
			})
		}
	})
	sameAs(t, before, "after networks")
}

// One that is killed takes its interfaces along, at whatever moment that is.
func TestOneshotNetworkKilled(t *testing.T) {
	rig.On(t, rig.Native)
	makeBridge(t)
	serveDHCP(t, 10)
	before := snapshot(t)
	for _, after := range []time.Duration{20, 40, 60, 80, 100, 150, 4000} {
		command := once("-n", "t-killed", "-N", "dhcp,bridge=t-br", "-N", "bridge=t-br,address=10.221.0.9", "--", "sleep",
			"1000")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after * time.Millisecond)
		_ = command.Process.Kill()
		_ = command.Wait()
		wait(t, "the end of the sandbox", func() bool {
			return exec.Command("virsh", "-q", "-c", "lxc:///", "domid",
				"t-killed").Run() != nil
		})
	}
	if o := runCommand(t, once("true")); o.status != 0 {
		t.Errorf("the next one: %+v", o)
	}
	sameAs(t, before, "after kills")
}

// serve runs a web server on an address of the host, and gives its page, which says that it was reached.
func serve(t *testing.T, host string) string {
	t.Helper()
	listener, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		fmt.Fprint(w, "reached")
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String() + "/"
}

// What the host lacks for a network is said in one line that has the option, and nothing stays.
func TestOneshotNetworkRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	makeNetwork(t, "off")
	makeBridge(t)
	before := snapshot(t)
	for network, want := range map[string]string{
		"dhcp,source=no-such":                   "-N dhcp,source=no-such: libvirt has no network no-such",
		"dhcp,bridge=no-such":                   "-N dhcp,bridge=no-such: the host has no bridge no-such",
		"dhcp,bridge=lo":                        "lo is no bridge",
		"dhcp,source=t-net,filter=no-such":      "libvirt has no network filter no-such",
		"dhcp,source=t-net,address=192.168.2.1": "-N: dhcp,source=t-net,address=192.168.2.1: dhcp excludes the IPv4 address",
		"source=t-net,bridge=t-br":              "source= and bridge= exclude each other",
		"route=10.0.0.0/8%192.168.1.1":          "-N: route=10.0.0.0/8%192.168.1.1: gateway 192.168.1.1",
		"dhcp,no-such":                          `"no-such" is not dhcp, nor one of source=`,
		"no-such":                               `-N: "no-such" is not private, host, or an interface`,
		"bridge=t-br,mac=01:00:00:00:00:00":     "is not the MAC address",
	} {
		o := runCommand(t, once("-N", network, "true"))
		if o.status != 125 || !strings.Contains(o.stderr, want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%s: %+v; want %q", network, o, want)
		}
	}
	if o := runCommand(t, once("-N", "host", "-N", "dhcp", "true")); o.status != 125 ||
		!strings.Contains(o.stderr, "host excludes every other -N") {
		t.Errorf("two that exclude each other: %+v", o)
	}
	sameAs(t, before, "after refusals")
}
