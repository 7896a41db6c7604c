// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// TestRemoveDevices is in a network of its own, where the devices of two interfaces are left: first without the right
// to remove them, as a unit is whose config lost its interfaces, then with it.
func TestRemoveDevices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	s := config.New("web")
	s.Interfaces = []config.Interface{{MAC: "52:54:00:00:00:01"}, {MAC: "52:54:00:00:00:02"},
		{Source: "without an address"}}
	var warnings []string
	h := New(config.Store{}, func(format string, args ...any) {
		warnings = append(warnings, fmt.Sprintf(format, args...))
	})
	left := func() (n int) {
		for _, i := range s.Interfaces[:2] {
			if _, err := netlink.LinkByName(i.HostDevice()); err == nil {
				n++
			}
		}
		return n
	}
	ended := make(chan error)
	// The thread ends with its goroutine, and takes network and capabilities along.
	go func() {
		runtime.LockOSThread()
		ended <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("make a network: %w", err)
			}
			for n, i := range s.Interfaces[:2] {
				pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: i.HostDevice()}, PeerName: fmt.Sprintf("peer%d", n)}
				if err := netlink.LinkAdd(pair); err != nil {
					return fmt.Errorf("make a device: %w", err)
				}
			}
			header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			var all, less [2]unix.CapUserData
			if err := unix.Capget(&header, &all[0]); err != nil {
				return fmt.Errorf("read capabilities: %w", err)
			}
			less = all
			less[0].Effective &^= 1 << unix.CAP_NET_ADMIN
			if err := unix.Capset(&header, &less[0]); err != nil {
				return fmt.Errorf("drop a capability: %w", err)
			}
			h.RemoveDevices(s)
			if len(warnings) != 1 || !strings.Contains(warnings[0], "web: the unit may not") || left() != 2 {
				t.Errorf("without the right: %q, and %d devices are left", warnings, left())
			}
			if err := unix.Capset(&header, &all[0]); err != nil {
				return fmt.Errorf("get a capability back: %w", err)
			}
			warnings = nil
			h.RemoveDevices(s)
			if len(warnings) != 0 || left() != 0 {
				t.Errorf("with the right: %q, and %d devices are left", warnings, left())
			}
			return nil
		}()
	}()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
