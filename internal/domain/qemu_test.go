// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
	"github.com/virt-sandbox/virt-sandbox/test/golden"
)

// date is the machine of the smallest sandbox.
func date() *Machine {
	return &Machine{
		Name: "sandbox", UUID: "01234567-89ab-4def-8123-456789abcdef", Title: "virt-sandbox: /bin/date", Emulated: true,
		Kernel: "/var/cache/libvirt-sandbox/kernel-6.1.0-56-amd64-0", Initrd: "/run/libvirt-sandbox/sandbox/initrd",
		Arguments: KernelArguments(false), Firmware: "/usr/share/qemu/qboot.rom", Memory: 512 << 20,
		Shares: []Share{{Tag: RootTag, Dir: "/", ReadOnly: true}},
		Socket: "/run/libvirt-sandbox/sandbox/console", Log: "/run/libvirt-sandbox/sandbox/log",
		SecurityModel: "selinux", Security: config.Security{Mode: config.SecurityDynamic},
	}
}

func TestQEMU(t *testing.T) {
	cases := []struct {
		golden string
		change func(m *Machine)
	}{
		{"qemu", func(*Machine) {}},
		{"qemu-kvm", func(m *Machine) {
			m.Emulated, m.Firmware, m.Memory, m.CPUs, m.Arguments = false, "", 4<<30, 2.5, KernelArguments(true)
		}},
		{"qemu-shares", func(m *Machine) {
			m.Shares = []Share{{RootTag, "/srv/root", true, false}, {"mount0", "/home/joe/data", false, true}}
			m.RunAs, m.Shell = &Account{1000, 100}, true
		}},
		{"qemu-disks", func(m *Machine) {
			m.Disks = []Disk{{"disk0", "/tmp/a.img", "raw", false, false}, {"disk1", "/tmp/b.qcow2", "qcow2", true, true}}
		}},
		{"qemu-networks", func(m *Machine) {
			m.Interfaces = []config.Interface{
				{},
				{Bridge: "br0", MAC: "52:54:00:00:00:02"},
				{Source: "default", MAC: "52:54:00:00:00:01", Filter: "clean-traffic",
					Parameters: []nic.Parameter{{Name: "IP", Value: "192.168.122.5"}}},
			}
		}},
		{"qemu-label", func(m *Machine) {
			m.Security = config.Security{Mode: config.SecurityStatic}
			m.Security.SetLabel(secontext.Context{User: "system_u", Role: "system_r", Type: "svirt_tcg_t", Level: "s0:c1,c2"})
		}},
		{"qemu-apparmor", func(m *Machine) { m.SecurityModel = "apparmor" }},
		{"qemu-apparmor-profile", func(m *Machine) { m.SecurityModel, m.Security.AppArmor = "apparmor", "sandbox" }},
		{"qemu-no-label", func(m *Machine) { m.SecurityModel = "" }},
	}
	for _, c := range cases {
		t.Run(c.golden, func(t *testing.T) {
			m := date()
			c.change(m)
			got, err := QEMU(m)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, c.golden, got)
		})
	}
}

// TestMachineLimits: what does not fit is said, and what just fits is there.
func TestMachineLimits(t *testing.T) {
	m := date()
	for i := range 27 {
		m.Disks = append(m.Disks, Disk{Serial: fmt.Sprintf("disk%d", i), File: "/a", Format: "raw"})
	}
	text, err := QEMU(m)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(unmarshal(t, text).Devices.Disks); got != 27 {
		t.Errorf("%d disks of 27", got)
	}
	m.Interfaces = []config.Interface{{}}
	if _, err := QEMU(m); err == nil {
		t.Error("a device more than there are slots for was taken")
	}
	m = date()
	m.Disks = []Disk{{Serial: "123456789012345678901", File: "/a", Format: "raw"}}
	if _, err := QEMU(m); err == nil {
		t.Error("a serial number of 21 characters was taken")
	}
}

// TestHostileMachineText: no path or name can add an element or an attribute.
func TestHostileMachineText(t *testing.T) {
	const text = `/srv/'/><disk type='file'/>"&<!--`
	m := date()
	m.Shares = append(m.Shares, Share{Tag: "mount0", Dir: text})
	m.Disks = []Disk{{Serial: "disk0", File: text, Format: "raw"}}
	m.Interfaces = []config.Interface{{Source: text, Filter: text}}
	m.Arguments = text
	m.Security.SetLabel(secontext.Context{User: "u", Role: "r", Type: text, Level: "s0"})
	got, err := QEMU(m)
	if err != nil {
		t.Fatal(err)
	}
	d := unmarshal(t, got)
	if len(d.Devices.Disks) != 1 || d.Devices.Disks[0].Source.File.File != text ||
		d.Devices.Filesystems[1].Source.Mount.Dir != text ||
		d.Devices.Interfaces[0].Source.Network.Network != text ||
		d.OS.Cmdline != text+" tsc=unstable" ||
		d.SecLabel[0].BaseLabel != "u:r:"+text+":s0" {
		t.Errorf("it became\n%s", got)
	}
}

// golden compares with a golden file, or makes it.
// compare compares XML with its golden file, and that with what libvirt's grammar makes of it.
func compare(t *testing.T, name, got string) {
	t.Helper()
	golden.Domain(t, filepath.Join(domains, name+".xml"), filepath.Join(domains, "apache.xml"), got)
	unmarshal(t, got)
}
