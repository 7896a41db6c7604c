// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// webSource is a sandbox that a clone is made of.
func webSource() *config.Sandbox {
	s := config.New("web1")
	Identify(s)
	s.Units = []string{"foo@web1.service", "foo@web10.service", "bar.service", "getty@tty1.service", "foo@web1.socket"}
	s.Private = []config.PrivatePath{
		{Path: "/var/lib/foo", Origin: "unit:foo@web1.service/StateDirectory"},
		{Path: "/etc/bar", Origin: "package:bar"},
	}
	s.Security.Level = "s0:c1,c2"
	s.Content = "/srv/web1"
	s.Hardening.IDMap = config.IDMap{Base: 100_000_000, Count: config.IDMapCount}
	s.Unit = []config.Directive{{Name: "After", Value: "web1.mount"}}
	s.Mounts = []config.Mount{{Kind: config.MountHostBind, Target: "/srv", Source: "/srv/web1"}}
	return s
}

// TestCloneOf: what identifies a sandbox is new, what its administrator chose stays, and the source is as it was.
func TestCloneOf(t *testing.T) {
	source, untouched := webSource(), webSource()
	untouched.UUID, untouched.MachineID, untouched.Created = source.UUID, source.MachineID, source.Created
	s, err := Clone(source, CloneOptions{Source: "web1", Name: "web2"})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(source, untouched) {
		t.Errorf("the source became %+v", source)
	}
	if s.UUID == source.UUID || s.MachineID == source.MachineID || s.UUID == "" || s.MachineID == "" {
		t.Errorf("identity %s %s", s.UUID, s.MachineID)
	}
	want := webSource()
	want.Name, want.UUID, want.MachineID, want.Created = "web2", s.UUID, s.MachineID, s.Created
	want.Units = []string{"foo@web2.service", "foo@web10.service", "bar.service", "getty@tty1.service", "foo@web2.socket"}
	want.Private[0].Origin = "unit:foo@web2.service/StateDirectory"
	want.Security.Level, want.Content = "", "/srv/web2"
	want.Hardening.IDMap = config.IDMap{Auto: true}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("the clone is\n%s\nwant\n%s", s.Text(), want.Text())
	}
}

func TestCloneSecurity(t *testing.T) {
	const label = "system_u:system_r:web_t:s0:c1,c2"
	for _, c := range []struct {
		source         string // its label
		o              CloneOptions
		label, level   string
		wantedInReason string
	}{
		{"", CloneOptions{}, "", "", ""},
		{"", CloneOptions{Level: "s0:c4,c3"}, "", "s0:c3,c4", ""},
		{label, CloneOptions{}, "system_u:system_r:web_t:s0", "", ""},
		{label, CloneOptions{Level: "s0:c4,c3"}, "system_u:system_r:web_t:s0:c3,c4", "s0:c3,c4", ""},
		{label, CloneOptions{Security: labelled(config.SecurityStatic, "u:r:t:s0:c5")}, "u:r:t:s0:c5", "s0:c5", ""},
		{label, CloneOptions{Level: "s0"}, "", "", "Share"},
		{label, CloneOptions{Level: "s0:c1024"}, "", "", "Level s0:c1024"},
		{label, CloneOptions{Level: "s0:c1", Security: labelled(config.SecurityStatic, "u:r:t:s0:c5")}, "", "",
			"exclude each other"},
		{"", CloneOptions{Security: config.Security{Mode: config.SecurityInherit}}, "", "", "static"},
	} {
		source := webSource()
		if c.source != "" {
			source.Security.SetLabel(contextOf(t, c.source))
		}
		c.o.Source, c.o.Name = "web1", "web2"
		s, err := Clone(source, c.o)
		if c.wantedInReason != "" {
			if err == nil || !strings.Contains(err.Error(), c.wantedInReason) {
				t.Errorf("%q %+v: got %v, want %q", c.source, c.o, err, c.wantedInReason)
			}
			continue
		}
		if err != nil || s.Security.ChosenLabel() != c.label || s.Security.Level != c.level {
			t.Errorf("%q %+v: got %q %q (%v)", c.source, c.o, s.Security.ChosenLabel(), s.Security.Level, err)
		}
	}
	s := webSource()
	s.Security.SetLabel(contextOf(t, label))
	s.Security.Level = ""
	if _, err := alloc.LevelOf(s); err == nil {
		t.Error("a label without a level has one")
	}
}

func contextOf(t *testing.T, text string) secontext.Context {
	t.Helper()
	c, err := secontext.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestReachesBeyond: every key that is not known to be harmless counts.
func TestReachesBeyond(t *testing.T) {
	harmless := webSource()
	harmless.Unit, harmless.Mounts = nil, []config.Mount{{Kind: config.MountRAM, Target: "/scratch", Size: 1 << 20}}
	harmless.Environment = []config.Variable{{Name: "A", Value: "b"}}
	harmless.Hardening.Capabilities.Drop = []string{"CAP_NET_RAW"}
	harmless.Limits.Memory, harmless.Limits.PIDs, harmless.Autostart = 1<<30, 77, true
	harmless.Security.SetLabel(contextOf(t, "system_u:system_r:container_t:s0:c1,c2"))
	if got := ReachesBeyond(harmless); len(got) > 0 {
		t.Errorf("harmless lines: %q", got)
	}
	for want, change := range map[string]func(*config.Sandbox){
		"host-bind=/srv=/srv/web1": func(s *config.Sandbox) { s.Mounts = webSource().Mounts },
		"After=web1.mount":         func(s *config.Sandbox) { s.Unit = webSource().Unit },
		"ExecStartPre=?": func(s *config.Sandbox) {
			s.Service = []config.Directive{{Name: "ExecStartPre",
				Value: "\x1b"}}
		},
		"mode=host":           func(s *config.Sandbox) { s.Network = config.NetworkHost },
		"file-type=etc_t":     func(s *config.Sandbox) { s.Security.FileType = "etc_t" },
		"apparmor=unconfined": func(s *config.Sandbox) { s.Security.AppArmor = config.AppArmorUnconfined },
		"pids=none":           func(s *config.Sandbox) { s.Limits.PIDs = 0 },
		"read-only-kernel=no": func(s *config.Sandbox) { s.Hardening.ReadOnlyKernel = false },
		"hide-kernel=no":      func(s *config.Sandbox) { s.Hardening.HideKernel = false },
		"host-image=/srv=/etc/shadow,format=raw": func(s *config.Sandbox) {
			s.Mounts = []config.Mount{{Kind: config.MountHostImage, Target: "/srv", Source: "/etc/shadow",
				Format: config.FormatRaw}}
		},
		"disk=data=/dev/sda,format=raw": func(s *config.Sandbox) {
			s.Disks = []config.Disk{{Tag: "data", Source: "/dev/sda", Format: config.FormatRaw}}
		},
		"interface=bridge=br0": func(s *config.Sandbox) { s.Interfaces = []config.Interface{{Bridge: "br0"}} },
		"label=system_u:system_r:initrc_t:s0:c1": func(s *config.Sandbox) {
			s.Security.SetLabel(contextOf(t, "system_u:system_r:initrc_t:s0:c1"))
		},
		"capabilities=auto +CAP_SYS_ADMIN": func(s *config.Sandbox) {
			s.Hardening.Capabilities = config.Names{Base: config.NamesAuto, Add: []string{"CAP_SYS_ADMIN"}}
		},
		// What is harmless in one section is not so in another.
		"ExecStartPre=/bin/evil": func(s *config.Sandbox) {
			s.Environment = []config.Variable{{Name: "ExecStartPre", Value: "/bin/evil"}}
			s.Service = []config.Directive{{Name: "ExecStartPre", Value: "/bin/evil"}}
		},
	} {
		s := *harmless
		change(&s)
		if got := ReachesBeyond(&s); len(got) == 0 || got[0] != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestSharedBy: the two cannot run side by side with what is not copied.
func TestSharedBy(t *testing.T) {
	source := webSource()
	source.Image, source.ImageFormat, source.ImageSize = "/images/web1.raw", config.FormatRaw, 1<<20
	source.Interfaces = []config.Interface{
		{Bridge: "br0", Addresses: []nic.Address{{Prefix: netip.MustParsePrefix("192.0.2.7/24")}}},
	}
	source.Mounts = append(
		source.Mounts,
		config.Mount{
			Kind:   config.MountHostImage,
			Target: "/srv/pages",
			Source: "/images/pages.raw",
			Format: config.FormatRaw,
		},
	)
	source.Disks = []config.Disk{{Tag: "db", Source: "/dev/vg/db", Format: config.FormatRaw}}
	s, err := Clone(source, CloneOptions{Source: "web1", Name: "web2"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"web2 has the address 192.0.2.7 of web1; give it another one before both run",
		"web2 has /images/pages.raw of web1 as the mount at /srv/pages, and not a copy; give it another one before both run",
		"web2 has /dev/vg/db of web1 as disk db, and not a copy; give it another one before both run",
	}
	if got := SharedBy(s, source); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCheckSources: a copy of another host's sandbox is refused before it is made when what it shows is not here.
func TestCheckSources(t *testing.T) {
	file := t.TempDir() + "/db.raw"
	s := webSource()
	s.Mounts = []config.Mount{{Kind: config.MountHostBind, Target: "/srv", Source: filepath.Dir(file)}}
	s.Disks = []config.Disk{{Tag: "db", Source: file, Format: config.FormatRaw}}
	if err := CheckSources(s); err == nil || !strings.Contains(err.Error(), "disk db: ") ||
		!strings.Contains(err.Error(), file) {
		t.Errorf("without the disk's file: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := CheckSources(s); err != nil {
		t.Errorf("with all files: %v", err)
	}
	s.Mounts[0].Source += "/absent"
	if err := CheckSources(s); err == nil || !strings.Contains(err.Error(), s.Mounts[0].Source) {
		t.Errorf("without the mount's directory: %v", err)
	}
}
