// SPDX-License-Identifier: Apache-2.0

package boot

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/innerboot"
	"github.com/virt-sandbox/virt-sandbox/internal/roottree"
	"github.com/virt-sandbox/virt-sandbox/internal/syscallfilter"
	"github.com/virt-sandbox/virt-sandbox/test/golden"
)

const (
	configs = "../../testdata/configs/good"
	plans   = "../../testdata/plans"
	base    = "../../testdata/domains/apache.xml"
)

// plainHost has neither SELinux nor AppArmor.
func plainHost(name string) Facts {
	return Facts{
		Memory: 8 << 30, Init: "/usr/libexec/virt-sandbox/virt-sandbox-init",
		Runtime: "/run/virt-sandbox/" + name + "/guest", RootTree: "/run/virt-sandbox/.root-" + name + "/tree",
		Mounted: map[string]string{}, Devices: map[string]string{},
	}
}

func seLinuxHost(name string) Facts {
	f := plainHost(name)
	f.SELinux, f.SecurityModel = true, "selinux"
	return f
}

// view is a small one of a host and a sandbox's content.
func view(s *config.Sandbox) roottree.View {
	return roottree.View{
		Links: []roottree.Link{{Path: "/bin", Target: "usr/bin"}},
		Dirs:  []string{"/mnt"},
		Mounts: []roottree.Mount{
			{Source: "/usr", Target: "/usr", ReadOnly: true},
			{Below: s.Content, Source: "/var", Target: "/var"},
		},
	}
}

// TestPlansOfConfigs: what a start makes of every kind of config.
func TestPlansOfConfigs(t *testing.T) {
	files, err := filepath.Glob(configs + "/*.sandbox")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d configs, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sandbox")
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := config.Parse(file, string(text))
			if err != nil {
				t.Fatal(err)
			}
			f := seLinuxHost(s.Name)
			f.View = view(s)
			for _, m := range s.Mounts {
				if m.Format != "" {
					f.Mounted[m.Target] = "/run/virt-sandbox/.images-" + s.Name + "/file-system-of" + m.Target
				}
			}
			for _, d := range s.Disks {
				if d.Format == config.FormatQCOW2 {
					f.Devices[d.Tag] = "/dev/nbd0"
				}
			}
			if s.Generic() {
				f.Groups = []uint32{0, 34}
			}
			comparePlan(t, name, s, &f)
		})
	}
}

// TestPlansOfHosts: what hosts of other kinds make of a container that stays.
func TestPlansOfHosts(t *testing.T) {
	for _, c := range []struct {
		golden string
		change func(s *config.Sandbox, f *Facts)
	}{
		{"host-plain", func(_ *config.Sandbox, f *Facts) { f.SELinux, f.SecurityModel = false, "" }},
		{"host-selinux-setup", func(_ *config.Sandbox, f *Facts) {
			f.SetupLabel = "system_u:system_r:virt_sandbox_setup_t:s0:c1,c2"
		}},
		{"host-selinux-not-by-libvirt", func(_ *config.Sandbox, f *Facts) { f.SecurityModel = "" }},
		{"host-apparmor", func(s *config.Sandbox, f *Facts) {
			f.SELinux, f.SecurityModel, f.Profile, s.Security.AppArmor = false, "apparmor", "lxc-web", "lxc-web"
		}},
		{"host-lacks-capabilities", func(_ *config.Sandbox, f *Facts) {
			f.Asked, f.Lacks = []string{"CAP_SYS_ADMIN", "CAP_IPC_LOCK"}, []string{"CAP_IPC_LOCK", "CAP_SYS_PTRACE"}
		}},
		{"host-idmap", func(s *config.Sandbox, _ *Facts) {
			s.Hardening.IDMap = config.IDMap{Base: 2000224256, Count: 65536}
			s.Mounts = everyMount()
		}},
		{"host-lxcfs", func(s *config.Sandbox, f *Facts) {
			s.Hardening.IDMap, s.Limits.Memory = config.IDMap{Base: 2000224256, Count: 65536}, 300<<20
			f.Proc = []string{"meminfo", "uptime"}
		}},
	} {
		t.Run(c.golden, func(t *testing.T) {
			s := config.New("web")
			s.UUID, s.Units, s.Security.Level = "01234567-89ab-4def-8123-456789abcdef", []string{"httpd.service"}, "s0:c1,c2"
			f := seLinuxHost(s.Name)
			f.View = view(s)
			f.Mounted["/srv/data"] = "/run/virt-sandbox/.images-web/0"
			c.change(s, &f)
			comparePlan(t, c.golden, s, &f)
		})
	}
}

func everyMount() []config.Mount {
	return []config.Mount{
		{Kind: config.MountHostBind, Target: "/srv/data/dumps", Source: "/backup/web"},
		{Kind: config.MountHostImage, Target: "/srv/data", Source: "/images/data.raw", Format: config.FormatRaw},
		{Kind: config.MountGuestBind, Target: "/srv/www", Source: "/var/www"},
		{Kind: config.MountRAM, Target: "/scratch", Size: 10 << 20},
	}
}

// oneShot is a command of an ordinary user.
func oneShot() *config.Sandbox {
	s := config.New("sandbox-0123456789")
	s.UUID, s.Command, s.Security.Level = "01234567-89ab-4def-8123-456789abcdef", []string{"make", "check"}, "s0:c1,c2"
	s.Identity = config.Identity{UID: 1000, GID: 100, User: "joe", Home: "/home/joe"}
	s.Environment = []config.Variable{{Name: "HOME", Value: "/tmp"}, {Name: "LANG", Value: "C.UTF-8"}}
	return s
}

// TestPlansOfOneShots: what a command's sandbox is on hosts of all kinds.
func TestPlansOfOneShots(t *testing.T) {
	for _, c := range []struct {
		golden string
		change func(s *config.Sandbox, f *Facts)
	}{
		{"one-shot", func(*config.Sandbox, *Facts) {}},
		{"one-shot-root", func(s *config.Sandbox, f *Facts) {
			s.Identity, f.Groups = config.Identity{User: "root", Home: "/root"}, []uint32{0}
			f.OneShot.Root, f.OneShot.Shell = "/srv/another system", true
			s.Mounts, f.Mounted["/srv/data"] = everyMount(), "/run/virt-sandbox/.images-sandbox-0123456789/1"
		}},
		{"one-shot-network", func(s *config.Sandbox, _ *Facts) {
			s.Interfaces = []config.Interface{{Source: "default", MAC: "52:54:00:12:34:56", DHCP: true}}
		}},
		{"one-shot-host-network", func(s *config.Sandbox, _ *Facts) { s.Network = config.NetworkHost }},
		{"one-shot-idmap", func(s *config.Sandbox, f *Facts) {
			s.Network, s.Hardening.IDMap = config.NetworkHost, config.IDMap{Base: 2000224256, Count: 65536}
			s.Mounts, f.Mounted["/srv/data"] = everyMount(), "/run/virt-sandbox/.images-sandbox-0123456789/1"
		}},
		{"one-shot-apparmor", func(_ *config.Sandbox, f *Facts) { f.SELinux, f.SecurityModel = false, "apparmor" }},
		{"one-shot-selinux-setup", func(_ *config.Sandbox, f *Facts) {
			f.SetupLabel = "system_u:system_r:virt_sandbox_setup_t:s0:c1,c2"
		}},
		{"one-shot-selinux-not-by-libvirt", func(_ *config.Sandbox, f *Facts) { f.SecurityModel = "" }},
	} {
		t.Run(c.golden, func(t *testing.T) {
			s := oneShot()
			f := seLinuxHost(".one-shot/" + s.Name)
			f.RootTree, f.Groups = "/run/virt-sandbox/.root-"+s.Name+"/tree", []uint32{100, 10}
			f.OneShot = &OneShot{}
			c.change(s, &f)
			comparePlan(t, c.golden, s, &f)
		})
	}
}

// comparePlan compares all parts of a plan with their golden files.
func comparePlan(t *testing.T, name string, s *config.Sandbox, f *Facts) {
	t.Helper()
	p, err := Container(s, f)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Guest.SystemCalls) == 0 && syscallfilter.Names() != nil {
		t.Error("there is no filter of system calls")
	}
	filter := p.Guest.SystemCalls
	p.Guest.SystemCalls = nil // Nobody could read it, and it is another one on another architecture.
	compareGuest(t, name, p.Guest)
	golden.Domain(t, filepath.Join(plans, name+".xml"), base, p.Domain)
	tree, err := json.MarshalIndent(p.Tree, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, filepath.Join(plans, name+".tree.json"), string(tree)+"\n")
	if again, err := Container(s, f); err != nil || again.Domain != p.Domain || !reflect.DeepEqual(again.Tree, p.Tree) ||
		!slices.Equal(again.Guest.SystemCalls, filter) {
		t.Errorf("the same facts made another plan (%v)", err)
	}
}

// compareGuest compares a plan as Encode writes it, but for the bytes of texts, which nobody could read.
func compareGuest(t *testing.T, name string, plan *guest.Plan) {
	t.Helper()
	text, err := json.MarshalIndent(plan, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, filepath.Join(plans, name+".json"), string(text)+"\n")
}

// The filter of system calls follows from the capabilities that the units ask for, and from the config.
func TestSystemCalls(t *testing.T) {
	if syscallfilter.Names() == nil {
		t.Skip("this machine's system calls are not known")
	}
	filter := func(change func(*config.Sandbox, *Facts)) string {
		t.Helper()
		s, f := oneShot(), plainHost("web")
		change(s, &f)
		p, err := Container(s, &f)
		if err != nil {
			t.Fatal(err)
		}
		return string(p.Guest.SystemCalls)
	}
	usual := filter(func(*config.Sandbox, *Facts) {})
	if asked := filter(func(_ *config.Sandbox, f *Facts) { f.Asked = []string{"CAP_SYS_ADMIN"} }); asked == usual {
		t.Error("a unit that asks for CAP_SYS_ADMIN gets none of the calls that go with it")
	}
	if nested := filter(func(s *config.Sandbox, _ *Facts) { s.Hardening.UserNamespaces = true }); nested == usual {
		t.Error("user-namespaces=yes makes no difference")
	}
	everything := filter(func(s *config.Sandbox, _ *Facts) {
		s.Hardening.UserNamespaces, s.Hardening.SystemCalls = true, config.Names{Base: config.NamesAll}
	})
	if everything != "" {
		t.Error("system-calls=all with user-namespaces=yes filters something")
	}
	s, f := oneShot(), plainHost("web")
	s.Hardening.SystemCalls = config.Names{Base: config.NamesAuto, Drop: []string{"keyctrl"}}
	if _, err := Container(s, &f); err == nil || !strings.Contains(err.Error(), "keyctrl") {
		t.Errorf("an unknown name: got %v", err)
	}
}

// TestWrittenPlan: the form in which a plan goes to virt-sandbox-init, which may be another release's.
func TestWrittenPlan(t *testing.T) {
	text, err := Command(oneShot(), []uint32{100, 10}, &OneShot{Shell: true}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden.File(t, filepath.Join(plans, "written.json"), string(text)+"\n")
}

// TestPlanOfMachine: what virt-sandbox-init is to do in a virtual machine.
func TestPlanOfMachine(t *testing.T) {
	machine := guest.Machine{
		Port: domain.PortName, RootTag: domain.RootTag, Overlay: true,
		Mounts: []guest.MachineMount{{Kind: guest.MountShare, Source: "mount0", Target: "/srv"}},
		Disks:  []guest.MachineDisk{{Serial: "disk0", Tag: "data"}},
	}
	compareGuest(t, "one-shot-machine", Command(oneShot(), []uint32{100, 10}, &OneShot{Machine: &machine}))
}

// TestEveryKindOfMount: none is left out, in a container with the host's ids or with ids of its own, wherever it is
// mounted; and init's own is mounted after all of them.
func TestEveryKindOfMount(t *testing.T) {
	for _, kind := range config.MountKinds() {
		for _, ids := range []config.IDMap{{}, {Base: 1 << 20, Count: 65536}} {
			for _, target := range []string{"/srv/here", "/dev/here", "/run/host/here"} {
				s := oneShot()
				s.Hardening.IDMap = ids
				s.Mounts = []config.Mount{{Kind: kind, Target: target, Source: "/srv/there", Size: 4096}}
				f := plainHost("web")
				f.Mounted[target] = "/images/0"
				p, err := Container(s, &f)
				if err != nil {
					t.Fatal(err)
				}
				at := slices.IndexFunc(p.Tree.Mounts, func(m roottree.Mount) bool { return m.Target == target })
				inDomain := strings.Contains(p.Domain, `<target dir="`+target+`">`)
				if (at >= 0) == inDomain {
					t.Errorf("%s at %s, ids %v: made by libvirt %v, in the root tree %v", kind, target, ids, inDomain, at >= 0)
				}
				if at >= 0 && !kind.ShowsInside() && p.Tree.Mounts[at].ReadOnly == kind.IsWritable() {
					t.Errorf("%s at %s is %+v", kind, target, p.Tree.Mounts[at])
				}
				init := slices.IndexFunc(p.Tree.Mounts, func(m roottree.Mount) bool { return m.Target == domain.GuestInit })
				if init <= at || init != len(p.Tree.Mounts)-1 {
					t.Errorf("%s: init is mount %d of %d, this one %d", kind, init, len(p.Tree.Mounts), at)
				}
			}
		}
	}
}

// TestTree: what others than the host's root can write to is not to be trusted, and one below another comes after it.
func TestTree(t *testing.T) {
	s, f := oneShot(), seLinuxHost("web")
	s.Mounts, f.Mounted["/srv/data"] = everyMount(), "/images/0"
	p, err := Container(s, &f)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range p.Tree.Mounts {
		order = append(order, m.Target)
	}
	want := []string{
		"/run", "/tmp", "/scratch", "/srv/data", "/srv/data/dumps", "/srv/www", "/run/host", "/run/host/virt-sandbox-init",
	}
	if !slices.Equal(order, want) {
		t.Errorf("mounted in the order %q, want %q", order, want)
	}
	if untrusted := []string{s.Content, "/backup/web"}; !slices.Equal(p.Tree.Untrusted, untrusted) {
		t.Errorf("untrusted: %q, want %q", p.Tree.Untrusted, untrusted)
	}
}

// TestMountsOfUnits: what units have in place of mounts of their own is in the root before they are.
func TestMountsOfUnits(t *testing.T) {
	s, f := config.New("web"), seLinuxHost("web")
	s.Units = []string{"d.service"}
	f.Fitting = innerboot.Fitting{
		Memory: []string{"/var/scratch"}, Units: map[string]string{"d.service.d/x.conf": "text"},
		Binds: []innerboot.Bind{
			{Source: "/srv/a", Target: "/srv/b", ReadOnly: true}, {Source: "/run/l", Target: "/var/d", InMemory: true},
		},
	}
	p, err := Container(s, &f)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []roottree.Mount{
		{Target: "/var/scratch", Memory: s.Limits.Tmp, Mode: 0o755},
		{Target: "/srv/b", Source: "/srv/a", Inside: true, ReadOnly: true},
		{Target: "/var/d", Source: "/run/l", Inside: true, Make: true},
	} {
		if !slices.Contains(p.Tree.Mounts, want) {
			t.Errorf("the tree lacks %+v", want)
		}
	}
	if p.Guest.RuntimeUnits["d.service.d/x.conf"] != "text" {
		t.Errorf("the guest's units are %q", p.Guest.RuntimeUnits)
	}
}

// TestPayloadLabel: where the host has SELinux and libvirt does not set a payload's context, virt-sandbox-init does,
// for one-shots too.
func TestPayloadLabel(t *testing.T) {
	const label, setup = "system_u:system_r:virt_sandbox_t:s0:c1,c2", "system_u:system_r:virt_sandbox_setup_t:s0:c1,c2"
	for _, c := range []struct {
		model, setup string
		selinux      bool
		want         string
	}{
		{"selinux", "", true, ""},
		{"selinux", setup, true, label},
		{"", "", true, label},
		{"apparmor", "", true, label},
		{"apparmor", "", false, ""},
		{"", "", false, ""},
	} {
		for _, shot := range []*OneShot{nil, {}} {
			f := Facts{SecurityModel: c.model, SetupLabel: c.setup, SELinux: c.selinux, OneShot: shot}
			p, err := Container(oneShot(), &f)
			if err != nil || p.Guest.Label != c.want {
				t.Errorf("%+v, one-shot %v: %v, %v", c, shot != nil, p, err)
			}
		}
	}
}
