// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/virt-sandbox/virt-sandbox/config"
)

func connected(t *testing.T) *Connection {
	t.Helper()
	connection, err := testClient(t).Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Close)
	return connection
}

const uuid = "0c7f6a0a-0000-4000-8000-000000000001"

func description(name string) string {
	return fmt.Sprintf(`<domain type="test"><name>%s</name><uuid>%s</uuid><memory>1024</memory>
		<os><type>hvm</type></os></domain>`, name, uuid)
}

// made creates the domain web in the test driver, which ends with the test.
func made(t *testing.T, c *Connection) *Domain {
	t.Helper()
	d, err := c.Create("web", description("web"), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Destroy()
		d.Free()
	})
	return d
}

func TestDomainLife(t *testing.T) {
	c := connected(t)
	if d, err := c.Domain("web"); d != nil || err != nil {
		t.Fatalf("before its start: %v, %v", d, err)
	}
	d := made(t, c)
	active, err := d.IsActive()
	if err != nil || !active || !d.IsUp() || d.IsPaused() {
		t.Errorf("after its start: active %t, %v, up %t, paused %t", active, err, d.IsUp(), d.IsPaused())
	}
	if pid, err := d.ControllerPID(); err != nil || pid < 1 {
		t.Errorf("controller %d, %v", pid, err)
	}
	if persistent, err := d.IsPersistent(); err != nil || persistent {
		t.Errorf("it is defined: %t, %v", persistent, err)
	}
	if text, err := d.XML(); err != nil || !strings.Contains(text, "<name>web</name>") {
		t.Errorf("its description: %q, %v", text, err)
	}
	_, err = c.Create("web", description("web"), 0)
	if err == nil || !strings.HasPrefix(err.Error(), "start domain web: ") || strings.Contains(err.Error(), "virError") {
		t.Errorf("another of the name: %v", err)
	}
	if err := d.Destroy(); err != nil {
		t.Fatal(err)
	}
	_, xmlErr := d.XML()
	_, activeErr := d.IsActive()
	_, persistentErr := d.IsPersistent()
	for what, err := range map[string]error{
		"destroy": d.Destroy(), "XML": xmlErr, "active": activeErr, "persistent": persistentErr, "forget": d.Forget(),
		"undefine": d.Undefine(),
	} {
		if !errors.Is(err, ErrNoDomain) || errors.Is(err, ErrTaken) {
			t.Errorf("%s of what has ended: %v", what, err)
		}
	}
	if d.IsUp() || d.IsPaused() {
		t.Error("what has ended is up, or paused")
	}
	if _, err := d.ControllerPID(); err == nil || !strings.HasPrefix(err.Error(), "find the container's process: ") {
		t.Errorf("controller of what has ended: %v", err)
	}
}

// A container whose end libvirt has missed is down, though libvirt has it as one that runs.
func TestEndIsMissed(t *testing.T) {
	c := connected(t)
	d := made(t, c)
	c.controls = func(_ int, name string) bool { return isController(os.Getpid(), name) }
	if _, err := d.ControllerPID(); err == nil {
		t.Error("another process is taken for the controller")
	}
	if active, err := d.IsActive(); err != nil || !active || d.IsUp() {
		t.Errorf("active %t, %v, up %t", active, err, d.IsUp())
	}
}

func TestPaused(t *testing.T) {
	d := made(t, connected(t))
	// The test driver knows no flag for it.
	if err := d.Suspend(); err != nil {
		t.Fatal(err)
	}
	if !d.IsPaused() || !d.IsUp() {
		t.Error("it is not paused, or not up")
	}
	if err := d.Resume(); err != nil || d.IsPaused() {
		t.Errorf("after Resume: %v, paused %t", err, d.IsPaused())
	}
}

// What is defined stays when it has ended, also when libvirt is told to forget it.
func TestForgetLeavesDefined(t *testing.T) {
	c := connected(t)
	d, err := c.Domain("test")
	if err != nil || d == nil {
		t.Fatalf("the test driver's own domain: %v, %v", d, err)
	}
	defer d.Free()
	if err := d.Destroy(); err != nil {
		t.Fatal(err)
	}
	if err := d.Forget(); err != nil {
		t.Error(err)
	}
	if persistent, err := d.IsPersistent(); err != nil || !persistent {
		t.Errorf("after Forget it is defined: %t, %v", persistent, err)
	}
	if err := d.Undefine(); err != nil {
		t.Error(err)
	}
}

func TestOwnDomain(t *testing.T) {
	c := connected(t)
	s := config.New("web")
	s.UUID = uuid
	if d, err := c.OwnDomain(s); d != nil || err != nil {
		t.Errorf("before its start: %v, %v", d, err)
	}
	made(t, c)
	if d, err := c.OwnDomain(s); d == nil || err != nil {
		t.Errorf("after its start: %v, %v", d, err)
	} else {
		d.Free()
	}
	s.UUID = "0c7f6a0a-0000-4000-8000-000000000002"
	if d, err := c.OwnDomain(s); d != nil || err == nil ||
		!strings.Contains(err.Error(), "another domain of the name web (UUID "+uuid+")") {
		t.Errorf("one of another UUID: %v, %v", d, err)
	}
}

func TestDomainTexts(t *testing.T) {
	c := connected(t)
	made(t, c)
	var asked []string
	texts, err := c.DomainTexts(func(name, id string) bool {
		asked = append(asked, name)
		return name == "web" && id == uuid
	})
	slices.Sort(asked)
	if err != nil || len(texts) != 1 || !strings.Contains(texts[0], "<name>test</name>") ||
		!slices.Equal(asked, []string{"test", "web"}) {
		t.Errorf("got %q, %v; asked about %v", texts, err, asked)
	}
	if texts, err = c.DomainTexts(nil); err != nil || len(texts) != 2 {
		t.Errorf("without a filter: got %q, %v", texts, err)
	}
}

func TestHost(t *testing.T) {
	c := connected(t)
	if c.URI() != "lxc:///" {
		t.Errorf("URI %s", c.URI())
	}
	if memory, err := c.HostMemory(); err != nil || memory < 1<<20 {
		t.Errorf("memory %d, %v", memory, err)
	}
	if model, err := c.SecurityModel(); model != "" || err == nil && model != "" {
		t.Errorf("security model %q, %v", model, err)
	}
}

func TestNetwork(t *testing.T) {
	c := connected(t)
	if active, err := c.IsNetworkActive("default"); err != nil || !active {
		t.Errorf("default: active %t, %v", active, err)
	}
	if text, err := c.NetworkXML("default"); err != nil || !strings.Contains(text, "<name>default</name>") {
		t.Errorf("default: %q, %v", text, err)
	}
	_, activeErr := c.IsNetworkActive("none")
	_, xmlErr := c.NetworkXML("none")
	for want, err := range map[string]error{
		"libvirt has no network none (":        activeErr,
		"look up network none: ":               xmlErr,
		"libvirt has no network filter none (": c.CheckFilter("none"),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "virError") {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if !strings.HasSuffix(activeErr.Error(), "; virsh -c lxc:/// net-list --all shows them") {
		t.Error(activeErr)
	}
}

// A daemon that is down is no network that is missing.
func TestIsUnreachable(t *testing.T) {
	for code, want := range map[libvirt.ErrorNumber]bool{
		libvirt.ERR_SYSTEM_ERROR: true, libvirt.ERR_RPC: true, libvirt.ERR_NO_NETWORK: false,
		libvirt.ERR_NO_NWFILTER: false, libvirt.ERR_NO_SUPPORT: false,
	} {
		if got := isUnreachable(fmt.Errorf("wrapped: %w", libvirt.Error{Code: code})); got != want {
			t.Errorf("code %d: got %t", code, got)
		}
	}
	if isUnreachable(errors.New("other")) {
		t.Error("any error is one")
	}
}

func TestPlain(t *testing.T) {
	other := errors.New("other")
	if plain(nil) != nil || plain(other) != other {
		t.Error("what is not of libvirt's is changed")
	}
	err := plain(fmt.Errorf("wrapped: %w", libvirt.Error{Code: libvirt.ERR_NO_DOMAIN, Message: "words"}))
	if err.Error() != "words" || !errors.Is(err, ErrNoDomain) || errors.Is(err, other) {
		t.Errorf("got %v", err)
	}
	for _, code := range []libvirt.ErrorNumber{libvirt.ERR_OPERATION_FAILED, libvirt.ERR_DOM_EXIST} {
		if !errors.Is(plain(libvirt.Error{Code: code}), ErrTaken) {
			t.Errorf("code %d is not ErrTaken", code)
		}
	}
}

func TestConsolePath(t *testing.T) {
	for text, want := range map[string]string{
		`<domain><devices><console tty="/dev/pts/3"/><console tty="/dev/pts/4"/></devices></domain>`: "/dev/pts/3",
		`<domain><devices><console type="pty"/></devices></domain>`:                                  "",
		`<domain><devices/></domain>`: "",
		`<domain/>`:                   "",
		`<domain`:                     "",
	} {
		if got, err := consolePath(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
}
