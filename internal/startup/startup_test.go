// SPDX-License-Identifier: Apache-2.0

package startup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/boot"
	"github.com/virt-sandbox/virt-sandbox/internal/capability"
	"github.com/virt-sandbox/virt-sandbox/internal/claims"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// fakeLibvirt says what a test has it say.
type fakeLibvirt struct {
	model  string
	memory config.Size
	fails  error
}

func (l fakeLibvirt) SecurityModel() (string, error)   { return l.model, l.fails }
func (l fakeLibvirt) HostMemory() (config.Size, error) { return l.memory, nil }

// newHost returns a temporary host with a service, and where its warnings go.
func newHost(t *testing.T) (*Host, *[]string) {
	t.Helper()
	root := hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/web.service":     "[Service]\nExecStart=/usr/sbin/web\nCapabilityBoundingSet=CAP_SYS_TIME\n",
		"/proc/sys/fs/inotify/max_user_instances": "8192\n", "/proc/": "", "/etc/web/": "",
	})
	hosttest.Program(t, guest.Program)
	var warnings []string
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	return &Host{
		Places: places.Root(root), Content: content.Host{Root: root}, Warn: warn,
		Claims: claims.New(claims.Options{Root: root, Warn: warn}),
		Mount:  func(func() error) error { return nil },
	}, &warnings
}

// sandbox returns one with content and a runtime directory.
func sandbox(t *testing.T, h *Host) (*config.Sandbox, places.RunDir) {
	t.Helper()
	s := config.New("web")
	s.Units, s.Content = []string{"web.service", "of-the-container.service"}, t.TempDir()
	dir := h.Places.Of("web").Run()
	if err := dir.Make(guest.Program); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// The facts are what libvirt, the kernel, the units of the host and the sandbox's images say.
func TestFacts(t *testing.T) {
	h, _ := newHost(t)
	s, dir := sandbox(t, h)
	s.Disks = []config.Disk{{Tag: "raw", Source: "/images/raw", Format: config.FormatRaw}}
	libvirt := fakeLibvirt{model: "", memory: 1 << 30}
	facts, err := h.facts(libvirt, s, dir)
	if err != nil {
		t.Fatal(err)
	}
	if facts.Memory != 1<<30 || facts.Runtime != dir.Guest() || !slices.Contains(facts.Asked, "CAP_SYS_TIME") {
		t.Errorf("got %+v", facts)
	}
	libvirt.fails = errors.New("ask libvirt for its security model: refused")
	if _, err := h.facts(libvirt, s, dir); !errors.Is(err, libvirt.fails) {
		t.Errorf("got %v", err)
	}
}

// What units of the host name is asked for; a unit that only the container has names nothing.
func TestAskedCapabilities(t *testing.T) {
	h, _ := newHost(t)
	s, _ := sandbox(t, h)
	set, err := h.units(s)
	if names := set.Capabilities(true); err != nil || len(names) != 1 || names[0] != "CAP_SYS_TIME" {
		t.Errorf("got %v, %v", names, err)
	}
}

// The host lacks what its first process may not have.
func TestMissingCapabilities(t *testing.T) {
	names, err := missingCapabilities()
	if err != nil {
		t.Fatal(err)
	}
	if len(names) >= len(capability.Names()) {
		t.Errorf("the host lacks all of %v", names)
	}
}

// Images are where their claims say; a disk whose block device is gone is refused.
func TestAttached(t *testing.T) {
	h, _ := newHost(t)
	s, _ := sandbox(t, h)
	s.Mounts = []config.Mount{{Kind: config.MountHostImage, Source: "/images/stock", Target: "/srv/stock"}}
	s.Disks = []config.Disk{{Tag: "d", Source: "/dev/null-of-no-disk", Format: config.FormatRaw}}
	mounted, devices, err := h.attached(s)
	if err != nil || mounted["/srv/stock"] != h.Claims.MountPoint("web", 0) || len(devices) > 1 {
		t.Errorf("mounted %v, devices %v, %v", mounted, devices, err)
	}
	s.Disks = []config.Disk{{Tag: "d", Source: filepath.Join(t.TempDir(), "absent.qcow2"), Format: config.FormatQCOW2}}
	if _, _, err := h.attached(s); err == nil || !strings.Contains(err.Error(), "disk d of web: ") {
		t.Errorf("got %v", err)
	}
}

// A container is entered by its first process as it was when its bounds were set.
func TestSetBounds(t *testing.T) {
	h, _ := newHost(t)
	s, dir := sandbox(t, h)
	first := exec.Command("sleep", "60")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = first.Process.Kill()
		_ = first.Wait()
	}()
	pid := first.Process.Pid
	hosttest.Add(t, string(h.Places), map[string]string{fmt.Sprintf("/proc/%d/cgroup", pid): ""})
	if err := h.SetBounds(s, pid, &guest.Plan{Drop: []uint32{0}, Profile: "p"}); err != nil {
		t.Fatal(err)
	}
	a := dir.State().Admission
	if a == nil || a.Init.PID != pid || a.Profile != "p" || a.Bounding&1 != 0 || a.Label != "" {
		t.Errorf("noted %+v", a)
	}
}

// The start of a sandbox leaves the guest's plan in its runtime directory, and a note of what it sees of /etc.
func TestPlans(t *testing.T) {
	h, warnings := newHost(t)
	s, dir := sandbox(t, h)
	s.Units, s.Command = nil, []string{"/bin/true"}
	plan := func(plan *boot.Plan, err error) {
		t.Helper()
		if err != nil || !strings.Contains(plan.Domain, "<name>web</name>") {
			t.Fatalf("got %+v, %v", plan, err)
		}
		file := filepath.Join(dir.Guest(), filepath.Base(guest.PlanFile))
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		_ = os.Remove(file)
	}
	plan(h.PlanStart(fakeLibvirt{memory: 1 << 30}, s, dir))
	generation, err := dir.Etc()
	if current, failure := h.Etc().Current(); err != nil || failure != nil || generation != current || generation == "" {
		t.Errorf("it sees %q of /etc, which is %q now (%v, %v)", generation, current, err, failure)
	}
	if used, err := h.Places.EtcInUse(); err != nil || !slices.Contains(used, generation) {
		t.Errorf("in use are %q (%v)", used, err)
	}
	if len(*warnings) > 0 {
		t.Errorf("warnings %q", *warnings)
	}
	note := func(format string, args ...any) { t.Errorf(format, args...) }
	shot := OneShot{Groups: []uint32{7}, Etc: h.Etc().Look(), Note: note}
	plan(h.PlanOneShot(fakeLibvirt{memory: 1 << 30}, s, shot, dir))
}

// Each container takes some of the host's inotify instances; one too many is told before it fails for want of them.
func TestWarnOf(t *testing.T) {
	h, warnings := newHost(t)
	s, _ := sandbox(t, h)
	h.WarnOf(s)
	if len(*warnings) > 0 {
		t.Errorf("warnings %q", *warnings)
	}
	hosttest.Put(t, string(h.Places), "/proc/sys/fs/inotify/max_user_instances", "2\n")
	h.WarnOf(s)
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "of which the host allows 2: web may not come up") {
		t.Errorf("warnings %q", *warnings)
	}
	if name := h.RootTree("web"); name.Sandbox != "web" || name.Dir != h.Places.Of("web").RootTree() {
		t.Errorf("root tree %+v", name)
	}
	if label := h.setupLabel(s); label != "" {
		t.Errorf("set-up label %q without SELinux", label)
	}
}

// In the host's network a container has the host's name servers wherever the host's resolv.conf leads to.
func TestShowResolver(t *testing.T) {
	for _, c := range []struct {
		network config.NetworkMode
		link    string
		want    string
	}{
		{config.NetworkHost, "../run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n"},
		{config.NetworkHost, "/run/systemd/resolve/stub-resolv.conf", "nameserver 127.0.0.53\n"},
		{config.NetworkHost, "../run/nothing", ""},
		{config.NetworkHost, "../run/systemd", ""},
		{config.NetworkHost, "../run/pipe", ""},
		{config.NetworkHost, "web/resolv.conf", ""},
		{config.NetworkPrivate, "../run/systemd/resolve/stub-resolv.conf", ""},
	} {
		h, _ := newHost(t)
		s, dir := sandbox(t, h)
		s.Network = c.network
		root := string(h.Places)
		hosttest.Add(t, root, map[string]string{
			"/run/systemd/resolve/stub-resolv.conf": "nameserver 127.0.0.53\n", "/etc/web/resolv.conf": "nameserver 192.0.2.1\n",
		})
		if err := unix.Mkfifo(root+"/run/pipe", 0o600); err != nil {
			t.Fatal(err)
		}
		link := c.link
		if filepath.IsAbs(link) {
			link = root + link
		}
		if err := os.Symlink(link, root+"/etc/resolv.conf"); err != nil {
			t.Fatal(err)
		}
		if err := h.showResolver(s, dir); err != nil {
			t.Error(err)
		}
		got, err := os.ReadFile(dir.Guest() + "/resolv.conf")
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
