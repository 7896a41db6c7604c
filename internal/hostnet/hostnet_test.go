// SPDX-License-Identifier: Apache-2.0

package hostnet

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
)

// fakeLibvirt has networks by name, with their XML; those whose XML is empty are switched off.
type fakeLibvirt struct {
	networks map[string]string
	domains  []string
	fails    error // of DomainTexts
}

func (f *fakeLibvirt) URI() string { return "lxc:///" }

func (f *fakeLibvirt) CheckFilter(name string) error {
	if name != "clean-traffic" {
		return fmt.Errorf("no filter %s", name)
	}
	return nil
}

func (f *fakeLibvirt) IsNetworkActive(name string) (bool, error) {
	text, found := f.networks[name]
	if !found {
		return false, fmt.Errorf("no network %s", name)
	}
	return text != "", nil
}

func (f *fakeLibvirt) NetworkXML(name string) (string, error) { return f.networks[name], nil }

func (f *fakeLibvirt) DomainTexts(func(name, uuid string) bool) ([]string, error) {
	return f.domains, f.fails
}

// takenMAC is one that a domain of fakeHost's has.
const takenMAC = "52:54:00:00:00:99"

func fakeHost() *fakeLibvirt {
	return &fakeLibvirt{
		networks: map[string]string{
			"default": `<network><ip address="192.168.122.1"/><ip family="ipv6" address="fd00::1"/>` +
				`<ip address="odd"/></network>`,
			"mute":   `<network><dns enable="no"/><ip address="192.168.122.1"/></network>`,
			"plain":  `<network/>`,
			"broken": `<network`,
			"off":    "",
		},
		domains: []string{`<domain><name>guest</name><devices><interface type="network"><mac address="` + takenMAC +
			`"/></interface>` +
			`<interface type="network"/></devices></domain>`, `<domain><name>bare</name></domain>`,
			`<domain><name>web</name><devices><interface type="network"><mac address="52:54:00:00:00:77"/></interface>` +
				`</devices></domain>`},
	}
}

// sandbox returns one whose interfaces are written as in a config.
func sandbox(t *testing.T, interfaces ...string) *config.Sandbox {
	t.Helper()
	s := config.New("web")
	s.UUID = "01234567-89ab-4def-8123-456789abcdef"
	for _, text := range interfaces {
		i, err := nic.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Interfaces = append(s.Interfaces, i)
	}
	return s
}

// What the host lacks is said when a sandbox is made; what has to be switched on before a start is only warned of.
func TestPlan(t *testing.T) {
	for _, c := range []struct{ name, option, fails, warns string }{
		{name: "libvirt's network", option: "dhcp,source=default"},
		{name: "a filter", option: "dhcp,source=default,filter=clean-traffic"},
		{name: "another filter", option: "dhcp,source=default,filter=none", fails: "no filter none"},
		{name: "no network", option: "dhcp,source=none", fails: "interface dhcp,source=none"},
		{name: "switched off", option: "dhcp,source=off",
			warns: "web does not start before libvirt's network off is active: " +
				"run virsh -c lxc:/// net-start off, and net-autostart off"},
		{name: "no bridge", option: "dhcp,bridge=no-such", fails: "the host has no bridge no-such; make it"},
		{name: "not a bridge", option: "dhcp,bridge=lo", fails: "lo is no bridge (it is a device)"},
		{name: "a MAC that a domain has", option: "dhcp,source=default,mac=" + takenMAC,
			fails: "libvirt domain guest has the MAC address"},
		{name: "a MAC that its own domain has", option: "dhcp,source=default,mac=52:54:00:00:00:77"},
		{name: "a MAC that a sandbox has", option: "dhcp,source=default,mac=52:54:00:00:00:88",
			fails: "sandbox other has the MAC address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var warnings []string
			h := New(otherConfig(t), func(format string, args ...any) {
				warnings = append(warnings, fmt.Sprintf(format,
					args...))
			})
			s := sandbox(t, c.option)
			err := h.Plan(fakeHost(), s)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("got %v", err)
			}
			if got := strings.Join(warnings, "\n"); got != c.warns {
				t.Errorf("warned of %q", got)
			}
			if c.fails == "" && !s.HasMACs() {
				t.Error("it has got no MAC address")
			}
		})
	}
}

// otherConfig has the config of another sandbox with an interface, and one that cannot be used.
func otherConfig(t *testing.T) config.Store {
	t.Helper()
	store := config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())}
	err := errors.Join(
		os.WriteFile(store.Path("other"), []byte("[sandbox]\nformat=1\nname=other\nunit=httpd.service\n"+
			"[network]\ninterface=dhcp,mac=52:54:00:00:00:88\n"), 0o600),
		os.WriteFile(store.Path("broken"), []byte("broken"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestChooseMACs(t *testing.T) {
	s := sandbox(t, "dhcp", "dhcp,mac=52:54:00:00:00:66", "dhcp")
	h := New(otherConfig(t), nil)
	if err := h.ChooseMACs(fakeHost(), s); err != nil {
		t.Fatal(err)
	}
	first, given, third := s.Interfaces[0].MAC, s.Interfaces[1].MAC, s.Interfaces[2].MAC
	if first == "" || third == "" || first == third || given != "52:54:00:00:00:66" {
		t.Errorf("got %s, %s, %s", first, given, third)
	}
	refused := errors.New("refused")
	if err := h.ChooseMACs(&fakeLibvirt{fails: refused}, s); !errors.Is(err, refused) {
		t.Errorf("without an answer: %v", err)
	}
	if err := h.ChooseMACs(&fakeLibvirt{domains: []string{"<"}}, s); err == nil || !strings.HasPrefix(err.Error(),
		"read libvirt's domains: ") {
		t.Errorf("of what is no description: %v", err)
	}
}

func TestPrepare(t *testing.T) {
	h := New(config.Store{Dir: "/configs"}, nil)
	s := sandbox(t, "dhcp,mac=52:54:00:00:00:01", "address=192.168.122.9/24,mac=52:54:00:00:00:02,source=default")
	list, err := h.Prepare(fakeHost(), s)
	if err != nil || len(list) != 2 || !list[0].DHCP || list[0].Name == list[1].Name || len(list[1].Addresses) != 1 {
		t.Fatalf("got %+v, %v", list, err)
	}
	if want := []netip.Addr{netip.MustParseAddr("192.168.122.1")}; !slices.Equal(list[1].DNS, want) ||
		len(list[0].DNS) != 0 {
		t.Errorf("name servers: %v and %v", list[0].DNS, list[1].DNS)
	}
	_, err = h.Prepare(fakeHost(), sandbox(t, "dhcp,source=off,mac=52:54:00:00:00:01"))
	want := "/configs/web.sandbox: interface=dhcp,source=off,mac=52:54:00:00:00:01: " +
		"it does not start before libvirt's network off"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("of a network that is switched off: %v", err)
	}
}

// A one-shot has no config: what is wrong with an interface is said of what was asked for, before it got an address.
func TestPrepareOneShot(t *testing.T) {
	h := New(otherConfig(t), nil)
	if list, err := h.PrepareOneShot(&fakeLibvirt{fails: errors.New("it was asked")}, sandbox(t)); list != nil ||
		err != nil {
		t.Errorf("of one without interfaces: %v, %v", list, err)
	}
	s := sandbox(t, "dhcp")
	if list, err := h.PrepareOneShot(fakeHost(), s); len(list) != 1 || err != nil || !s.HasMACs() {
		t.Errorf("got %v, %v, MAC %q", list, err, s.Interfaces[0].MAC)
	}
	for option, want := range map[string]string{
		"dhcp,source=none": "no network none",
		"dhcp,source=off":  "it does not start before libvirt's network off is active",
		"dhcp,mac=" +
			takenMAC: "libvirt domain guest has the MAC address already; choose another, or leave mac= out",
		"address=10.0.0.1/8,source=broken": "look up network broken: ",
	} {
		s := sandbox(t, option)
		asked := s.Interfaces[0].String()
		_, err := h.PrepareOneShot(fakeHost(), s)
		var wrong *InterfaceError
		if !errors.As(err, &wrong) || wrong.Interface.String() != asked || !strings.HasPrefix(wrong.Err.Error(), want) {
			t.Errorf("%s: got %v", option, err)
		} else if err.Error() != "interface "+asked+": "+wrong.Err.Error() || errors.Unwrap(err) != wrong.Err {
			t.Errorf("%s: it says %v", option, err)
		}
	}
}

func TestNameServers(t *testing.T) {
	for option, want := range map[string]string{
		"address=192.168.122.9/24,source=default": "192.168.122.1",
		"address=fd00::9/64,source=default":       "fd00::1",
		"address=10.0.0.9/24,source=default":      "",
		"address=192.168.122.9/24,source=mute":    "",
		"address=192.168.122.9/24,source=plain":   "",
	} {
		servers, err := nameServers(fakeHost(), sandbox(t, option).Interfaces[0])
		var words []string
		for _, s := range servers {
			words = append(words, s.String())
		}
		if got := strings.Join(words, " "); got != want || err != nil {
			t.Errorf("%s: got %q, %v", option, got, err)
		}
	}
}

// Without an interface on the host there is nothing to wait for, or to remove.
func TestWithoutDevice(t *testing.T) {
	s := sandbox(t, "dhcp,mac=52:54:00:00:00:55")
	if err := errors.Join(AwaitForwarding(t.Context(), s.Interfaces), RemoveDevice(s.Interfaces[0])); err != nil {
		t.Error(err)
	}
	if state, err := portState(1); err != nil || state != -1 {
		t.Errorf("loopback as a port: %d, %v", state, err)
	}
}
