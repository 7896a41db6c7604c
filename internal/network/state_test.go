// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func openState(t *testing.T, interfaces ...Interface) (*State, *os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "guest"), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return NewState(root, "web", interfaces), root, dir
}

// TestState: who comes after reads what was saved.
func TestState(t *testing.T) {
	state, root, dir := openState(t, Interface{Name: "eth0", DHCP: true}, Interface{
		Name: "eth1", DNS: []netip.Addr{netip.MustParseAddr("fd00::1")},
		Addresses: []Address{{Prefix: netip.MustParsePrefix("fd00::9/64")}},
		Routes:    []Route{{netip.MustParsePrefix("::/0"), netip.MustParseAddr("fe80::1")}},
	})
	if got, err := readState(root); got != nil || err != nil {
		t.Errorf("before the first save: got %+v, %v", got, err)
	}
	if err := state.set("eth0", ordinaryLease()); err != nil {
		t.Fatal(err)
	}
	got, err := readState(root)
	if err != nil || !reflect.DeepEqual(got.Leases, state.Leases) ||
		!reflect.DeepEqual(got.Interfaces, state.Interfaces) ||
		got.Hostname != "web" {
		t.Errorf("got %+v, %v\nwant %+v", got, err, state)
	}
	if err := state.set("eth0", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(root); err != nil || len(got.Leases) != 0 {
		t.Errorf("without the lease: got %+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := readState(root); err == nil {
		t.Errorf("of half a file: got %+v", got)
	}
}

// TestResolv: the file keeps its place, over which the container has a mount, and says no more than it should.
func TestResolv(t *testing.T) {
	address := netip.MustParseAddr
	state, _, dir := openState(t,
		Interface{Name: "eth0", DHCP: true},
		Interface{Name: "eth1", DHCP: true, DNS: []netip.Addr{address("10.9.9.9")}},
		Interface{Name: "eth2", DNS: []netip.Addr{address("192.168.122.1"), address("fd00::53"), address("fd00::54")}})
	lease := func(search string, servers ...netip.Addr) *Lease {
		l := ordinaryLease()
		l.DNS, l.Search = servers, strings.Fields(search)
		return l
	}
	const head = "# Made by virt-sandbox of the interfaces in the config and their leases.\n"
	var inode os.FileInfo
	for _, c := range []struct {
		name  string
		lease *Lease
		want  string
	}{
		{"eth0", nil, "nameserver 10.9.9.9\nnameserver 192.168.122.1\nnameserver fd00::53\n"},
		{"eth0", lease("a.example b.example", address("192.168.122.1")), "nameserver 192.168.122.1\nnameserver 10.9.9.9\n" +
			"nameserver fd00::53\nsearch a.example b.example\n"},
		{"eth1", lease("c b.example", address("10.8.8.8")), "nameserver 192.168.122.1\nnameserver 10.9.9.9\nnameserver " +
			"fd00::53\nsearch a.example b.example c\n"},
		{"eth0", nil, "nameserver 10.9.9.9\nnameserver 192.168.122.1\nnameserver fd00::53\nsearch c b.example\n"},
	} {
		if err := state.set(c.name, c.lease); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, ResolvFile))
		if err != nil || string(got) != head+c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
		info, err := os.Stat(filepath.Join(dir, ResolvFile))
		if err != nil || info.Mode() != 0o644 || (inode != nil && !os.SameFile(info, inode)) {
			t.Errorf("it is another file, or not for all: %v, %v", info, err)
		}
		inode = info
	}
}

// TestNoResolv: where the interfaces know no name servers, the container keeps the host's file.
func TestNoResolv(t *testing.T) {
	state, _, dir := openState(t, Interface{Name: "eth0"})
	if err := state.set("eth0", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(dir, ResolvFile)); err == nil {
		t.Error("there is a file")
	}
}
