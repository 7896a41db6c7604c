// SPDX-License-Identifier: Apache-2.0

package domain

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/capability"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

const domains = "../../testdata/domains"

// machine is a host with SELinux and 8 GiB of memory.
func machine() Host {
	return Host{
		Root: "/run/virt-sandbox/.root-web/tree", Memory: 8 << 30, SecurityModel: "selinux",
	}
}

func apache() *config.Sandbox {
	s := config.New("web")
	s.UUID = "01234567-89ab-4def-8123-456789abcdef"
	s.Units = []string{"httpd.service"}
	s.Security.Level = "s0:c10,c20"
	return s
}

func TestLXC(t *testing.T) {
	cases := []struct {
		golden string
		change func(s *config.Sandbox, h *Host)
	}{
		{golden: "apache"},
		{golden: "several-units", change: func(s *config.Sandbox, _ *Host) {
			s.Units = []string{"httpd.service", "postgresql@15-main.service"}
		}},
		{golden: "limits", change: func(s *config.Sandbox, _ *Host) {
			s.Limits.Memory, s.Limits.CPUs = 512<<20, 1.5
			s.Limits.Run, s.Limits.Tmp, s.Limits.Shm = 1<<20, 2<<20, 3<<20
		}},
		{golden: "host-network", change: func(s *config.Sandbox, _ *Host) { s.Network = config.NetworkHost }},
		{golden: "interfaces", change: func(s *config.Sandbox, _ *Host) {
			s.Interfaces = []config.Interface{
				{Source: "default", MAC: "52:54:00:12:34:56", DHCP: true},
				{
					Bridge:     "br0",
					MAC:        "52:54:00:12:34:57",
					Filter:     "clean-traffic",
					Parameters: []nic.Parameter{{Name: "IP", Value: "10.1.0.9"}, {Name: "IP", Value: "10.1.0.10"}},
				},
			}
		}},
		{golden: "capabilities-asked", change: func(s *config.Sandbox, h *Host) {
			h.Asked, h.Lacks = []string{"CAP_IPC_LOCK", "CAP_CHOWN", "CAP_SYS_TIME"}, []string{"CAP_SYS_RESOURCE"}
			s.Hardening.Capabilities = config.Names{
				Base: config.NamesAuto,
				Add:  []string{"CAP_SYSLOG"},
				Drop: []string{"CAP_NET_RAW"},
			}
		}},
		{golden: "capabilities-listed", change: func(s *config.Sandbox, h *Host) {
			h.Asked = []string{"CAP_IPC_LOCK"}
			s.Hardening.Capabilities = config.Names{Add: []string{"CAP_SYS_ADMIN", "CAP_KILL"}}
		}},
		{golden: "capabilities-all", change: func(s *config.Sandbox, _ *Host) {
			s.Hardening.Capabilities = config.Names{Base: config.NamesAll}
		}},
		{golden: "capabilities-all-but", change: func(s *config.Sandbox, _ *Host) {
			s.Hardening.Capabilities = config.Names{
				Base: config.NamesAll,
				Add:  []string{"CAP_MKNOD"},
				Drop: []string{"CAP_SYS_PTRACE"},
			}
		}},
		{golden: "mounts", change: func(s *config.Sandbox, _ *Host) {
			s.Mounts = []config.Mount{ // The root has those that do not lie below /dev.
				{Kind: config.MountHostBind, Target: "/srv/dumps", Source: "/backup/web"},
				{Kind: config.MountHostBind, Target: "/dev/fuse", Source: "/dev/fuse"},
				{Kind: config.MountRAM, Target: "/scratch", Size: 10 << 20},
				{Kind: config.MountRAM, Target: "/dev/hugepages", Size: 10 << 20},
			}
		}},
		{golden: "images", change: func(s *config.Sandbox, h *Host) {
			s.Mounts = []config.Mount{
				{Kind: config.MountGuestBind, Target: "/srv/www", Source: "/var/www"},
				{Kind: config.MountHostBind, Target: "/srv/data/dumps", Source: "/backup/web"},
				{Kind: config.MountHostImage, Target: "/srv/data", Source: "/images/data.raw", Format: config.FormatRaw},
			}
			s.Disks = []config.Disk{
				{Tag: "raw", Source: "/images/disk & more.raw", Format: config.FormatRaw},
				{Tag: "qcow2", Source: "/images/disk.qcow2", Format: config.FormatQCOW2},
				{Tag: "device", Source: "/dev/vg/lv", Format: config.FormatRaw},
			}
			h.Devices = map[string]string{"qcow2": "/dev/nbd0", "device": "/dev/vg/lv"}
		}},
		{golden: "selinux-setup", change: func(_ *config.Sandbox, h *Host) {
			h.SetupLabel = "system_u:system_r:virt_sandbox_setup_t:s0:c10,c20"
		}},
		{golden: "selinux-label", change: func(s *config.Sandbox, _ *Host) {
			s.Security.SetLabel(secontext.Context{User: "system_u", Role: "system_r", Type: "httpd_container_t", Level: "s0:c1"})
		}},
		{golden: "selinux-inherit", change: func(s *config.Sandbox, _ *Host) { s.Security.Mode = config.SecurityInherit }},
		{golden: "no-selinux", change: func(_ *config.Sandbox, h *Host) { h.SecurityModel = "" }},
		{golden: "apparmor", change: func(_ *config.Sandbox, h *Host) { h.SecurityModel = "apparmor" }},
		{golden: "apparmor-profile", change: func(s *config.Sandbox, h *Host) {
			s.Security.AppArmor, h.SecurityModel = "lxc-web", "apparmor"
		}},
		{golden: "apparmor-unconfined", change: func(s *config.Sandbox, h *Host) {
			s.Security.AppArmor, h.SecurityModel = config.AppArmorUnconfined, "apparmor"
		}},
		{
			golden: "idmap",
			change: func(s *config.Sandbox, _ *Host) {
				s.Hardening.IDMap = config.IDMap{Base: 100000000, Count: 65536}
				s.Mounts = []config.Mount{{Kind: config.MountRAM, Target: "/scratch", Size: 10 << 20}}
			},
		},
		{golden: "generic", change: func(s *config.Sandbox, _ *Host) {
			s.Name, s.Units, s.Command = "job", nil, []string{"/usr/bin/rsync", "--daemon"}
		}},
		{golden: "one-shot", change: func(s *config.Sandbox, h *Host) {
			s.Name, s.Units, s.Command = "sandbox-0123456789", nil, []string{"sh"}
			h.Shell = true
		}},
	}
	for _, c := range cases {
		t.Run(c.golden, func(t *testing.T) {
			s, h := apache(), machine()
			if c.change != nil {
				c.change(s, &h)
			}
			got, err := LXC(s, h)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, c.golden, got)
		})
	}
}

// TestFilesystems: libvirt is given no path that a container could have changed, which it would resolve by name: the
// root, and what lies in the /dev that it makes itself.
func TestFilesystems(t *testing.T) {
	s := apache()
	for _, kind := range config.MountKinds() {
		for _, target := range []string{"/var/scratch", "/srv", "/run/x", "/dev/x", "/devices/x"} {
			s.Mounts = append(s.Mounts, config.Mount{Kind: kind, Target: target, Source: "/a", Size: 1 << 20})
		}
	}
	text, err := LXC(s, machine())
	if err != nil {
		t.Fatal(err)
	}
	for _, fs := range unmarshal(t, text).Devices.Filesystems {
		switch target := fs.Target.Dir; target {
		case "/", "/dev/shm", "/dev/x":
		default:
			t.Errorf("libvirt is to mount at %s", target)
		}
	}
}

func TestCPUs(t *testing.T) {
	cases := []struct {
		cpus  float64
		vcpus uint
		quota int64 // of a period of 100000 µs; 0: none
	}{
		{
			0,
			1,
			0,
		}, {0.01, 1, 1000}, {0.5, 1, 50000}, {1, 1, 100000}, {1.25, 2, 125000}, {4, 4, 400000}, {4096, 4096, 409600000},
	}
	for _, c := range cases {
		s := apache()
		s.Limits.CPUs = c.cpus
		text, err := LXC(s, machine())
		if err != nil {
			t.Fatal(err)
		}
		d := unmarshal(t, text)
		var quota int64
		if d.CPUTune != nil {
			quota = d.CPUTune.Quota.Value
		}
		if d.VCPU.Value != c.vcpus || quota != c.quota {
			t.Errorf("%g CPUs: got %d and quota %d, want %d and %d", c.cpus, d.VCPU.Value, quota, c.vcpus, c.quota)
		}
	}
}

// TestHostileTextStaysText: no path can add an element or an attribute.
func TestHostileTextStaysText(t *testing.T) {
	for _, path := range []string{
		`/srv/it's`, `/srv/"quoted"`, `/srv/a&b`, `/srv/&lt;`, `/srv/<b>`, `/srv/'/><filesystem type='mount'/>`, `/srv/]]>`,
		`/srv/<!-- `, `/srv/ü `, `/srv/${HOME}`,
	} {
		s := apache()
		s.Security.SetLabel(secontext.Context{User: "u", Role: "r", Type: path, Level: "s0"})
		s.Mounts = []config.Mount{{Kind: config.MountHostBind, Target: "/dev" + path, Source: path}}
		text, err := LXC(s, machine())
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		d := unmarshal(t, text)
		if len(d.Devices.Filesystems) != 3 {
			t.Errorf("%s: %d filesystems in\n%s", path, len(d.Devices.Filesystems), text)
			continue
		}
		fs := d.Devices.Filesystems[2]
		if fs.Source.Mount.Dir != path || fs.Target.Dir != "/dev"+path || d.SecLabel[0].Label != "u:r:"+path+":s0" {
			t.Errorf("%s became %s, %s and %s", path, fs.Source.Mount.Dir, fs.Target.Dir, d.SecLabel[0].Label)
		}
	}
}

func unmarshal(t *testing.T, text string) *libvirtxml.Domain {
	t.Helper()
	var d libvirtxml.Domain
	if err := d.Unmarshal(text); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if again, err := d.Marshal(); err != nil || strings.TrimSpace(again) != strings.TrimSpace(text) {
		t.Errorf("read and written again (%v) it is\n%s\nwas\n%s", err, again, text)
	}
	return &d
}

// TestCapabilityElements: libvirt knows them by the kernel's names in lower case.
func TestCapabilityElements(t *testing.T) {
	s := config.New("box")
	s.Hardening.Capabilities = config.Names{Base: config.NamesAuto, Add: capability.Names()}
	text, err := LXC(s, Host{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range capability.Names() {
		element := strings.ToLower(strings.TrimPrefix(name, "CAP_"))
		element = "<" + element + ` state="on"></` + element + ">"
		if !strings.Contains(text, element) {
			t.Errorf("the description has no %s", element)
		}
	}
}

// TestEveryCapability: whatever a config can name has an element of libvirt's.
func TestEveryCapability(t *testing.T) {
	names := capability.Names()
	var list libvirtxml.DomainFeatureCapabilities
	switchTo("on", &list, names)
	given := 0
	fields := reflect.ValueOf(list)
	for i := range fields.NumField() {
		if element, ok := fields.Field(i).Interface().(*libvirtxml.DomainFeatureCapability); ok && element != nil {
			given++
		}
	}
	if given != len(names) {
		t.Errorf("%d names switch %d elements", len(names), given)
	}
	for _, name := range slices.Concat(baseCapabilities(), networkCapabilities(), hostCapabilities()) {
		if !slices.Contains(names, name) {
			t.Errorf("%s is none that a config can name", name)
		}
	}
}
