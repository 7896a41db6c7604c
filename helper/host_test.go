// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/guest"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
	"github.com/virt-sandbox/virt-sandbox/internal/provision"
	"github.com/virt-sandbox/virt-sandbox/internal/statefile"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// host is a temporary host with a service. Its libvirt runs containers that are but processes which wait; its systemd,
// and those of containers, say what a test has them say.
type host struct {
	*Manager
	t        *testing.T
	content  string // where sandboxes get their content
	libvirt  *fakeLibvirt
	systemd  *fakeSystemd
	inner    *fakeInner
	warnings []string
}

func newHost(t *testing.T) *host {
	t.Helper()
	root := hosttest.Root(t, map[string]string{
		"/usr/lib/systemd/system/web.service": "[Service]\nExecStart=/usr/sbin/web\n",
		"/usr/sbin/web":                       "", "/etc/web/web.conf": "port=80\n",
		"/etc/machine-id": "0123456789abcdef0123456789abcdef\n", "/proc/": "", units.Dir + "/": "",
		"/proc/sys/fs/inotify/max_user_instances": "8192\n",
	})
	packages := hosttest.Packages{{Name: "web", Files: []pkgdb.File{
		{Path: "/usr/lib/systemd/system/web.service"}, {Path: "/usr/sbin/web"}, {Path: "/etc/web/web.conf", Config: true},
	}}}
	h := &host{t: t, content: filepath.Join(t.TempDir(), "content"), systemd: &fakeSystemd{}, inner: &fakeInner{}}
	h.libvirt = &fakeLibvirt{host: h, domains: make(map[string]*fakeDomain)}
	h.Manager = New(Options{
		Root: root, Store: config.Store{Dir: t.TempDir(), States: statefile.Dir(t.TempDir())},
		Packages: []pkgdb.Database{packages},
		Warn:     func(format string, args ...any) { h.warnings = append(h.warnings, fmt.Sprintf(format, args...)) },
	})
	h.Manager.libvirt, h.Manager.systemd = h.libvirt, h.systemd
	h.connect = func() (provision.Connection, error) {
		c, err := h.libvirt.Connect()
		if err != nil {
			return nil, err
		}
		return c.(*fakeLibvirt), nil
	}
	h.Manager.inside = func(context.Context, *config.Sandbox) (innerSystemd, error) { return h.inner, h.inner.closed }
	h.mount = func(func() error) error { return nil }
	hosttest.Program(t, guest.Program)
	return h
}

// command saves a sandbox that runs a command.
func (h *host) command(name string) *config.Sandbox {
	h.t.Helper()
	s := config.New(name)
	s.Command, s.Content = []string{"/bin/true"}, filepath.Join(h.content, name)
	s.UUID, s.MachineID = "0c7f6a0a-0000-4000-8000-000000000001", strings.Repeat("1", 32)
	s.Limits.StopTimeout, s.Limits.StartTimeout = time.Second, 10*time.Second
	h.save(s)
	return s
}

// service saves a sandbox "web" that runs the host's service.
func (h *host) service() *config.Sandbox {
	h.t.Helper()
	s := h.command("web")
	s.Command, s.Units = nil, []string{"web.service"}
	h.save(s)
	return s
}

func (h *host) save(s *config.Sandbox) {
	h.t.Helper()
	if err := h.Store.Save(s); err != nil {
		h.t.Fatal(err)
	}
}

// up has a container of a sandbox run in a phase.
func (h *host) up(s *config.Sandbox, phase places.Phase) *fakeDomain {
	h.t.Helper()
	dir := h.run(s.Name)
	if err := errors.Join(dir.Make(guest.Program), dir.SetPhase(phase), dir.Record(s)); err != nil {
		h.t.Fatal(err)
	}
	return h.libvirt.start(s.Name, s.UUID)
}

// hasFirst has the host's /proc say that a container's controller has a first process, which waits too.
func (h *host) hasFirst(d *fakeDomain) int {
	h.t.Helper()
	first := waiting(h.t)
	pid := first.Process.Pid
	hosttest.Add(h.t, h.Host.Root, map[string]string{
		fmt.Sprintf("/proc/%d/status", pid): fmt.Sprintf("PPid:\t%d\nNSpid:\t%d\t1\n", d.pid, pid),
		fmt.Sprintf("/proc/%d/cgroup", pid): "",
	})
	return pid
}

// isDown fails unless nothing is left of a run of "web".
func (h *host) isDown() {
	h.t.Helper()
	const name = "web"
	if h.libvirt.domains[name] != nil {
		h.t.Errorf("libvirt still has %s", name)
	}
	at := h.places(name)
	for _, path := range []string{at.Run().Path(), at.RootTree(), at.LibvirtState(".pid")} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			h.t.Errorf("%s is left: %v", path, err)
		}
	}
}

// warned fails unless there was a warning that says so.
func (h *host) warned(want string) {
	h.t.Helper()
	if !slices.ContainsFunc(h.warnings, func(w string) bool { return strings.Contains(w, want) }) {
		h.t.Errorf("warnings %q, want %q", h.warnings, want)
	}
}

// says fails unless an error says something.
func says(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// waiting starts a process that waits until it is killed, or asked to end.
func waiting(t *testing.T) *exec.Cmd {
	t.Helper()
	process := exec.Command("sleep", "60")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	return process
}

// fakeLibvirt is a libvirt and a connection to it.
type fakeLibvirt struct {
	host     *host
	domains  map[string]*fakeDomain
	noAnswer error             // of libvirtd
	refuses  error             // what it says of each new domain
	created  func(*fakeDomain) // what a container does once it is there
	restarts int               // of libvirtd, while something is done over a connection
	gone     bool              // whether libvirtd has gone, and does not come back
	asked    []string
}

func (l *fakeLibvirt) start(name, uuid string) *fakeDomain {
	read, write, err := os.Pipe()
	if err != nil {
		l.host.t.Fatal(err)
	}
	l.host.t.Cleanup(func() { write.Close() })
	process := waiting(l.host.t)
	d := &fakeDomain{
		libvirt: l, name: name, uuid: uuid, process: process, pid: process.Process.Pid, console: read, speaks: write,
	}
	l.domains[name] = d
	return d
}

func (l *fakeLibvirt) Connect() (libvirtConnection, error) {
	if l.noAnswer != nil {
		return nil, l.noAnswer
	}
	return l, nil
}

func (l *fakeLibvirt) WithReconnect(_ context.Context, c libvirtConnection, do func(libvirtConnection) error) error {
	if l.gone {
		return virt.ErrNoAnswer
	}
	err := do(c)
	for ; l.restarts > 0; l.restarts-- {
		err = do(c)
	}
	return err
}

func (l *fakeLibvirt) Create(name, xml string, _ virt.CreateFlags) (libvirtDomain, error) {
	l.asked = append(l.asked, "create "+name)
	if l.refuses != nil {
		return nil, l.refuses
	}
	if !strings.Contains(xml, "<name>"+name+"</name>") {
		return nil, fmt.Errorf("no domain of that name in %s", xml)
	}
	s, err := l.host.run(name).Recorded()
	if err != nil {
		return nil, err
	}
	d := l.start(name, s.UUID)
	if l.created != nil {
		l.created(d)
	}
	return d, nil
}

func (l *fakeLibvirt) OwnDomain(s *config.Sandbox) (libvirtDomain, error) {
	d := l.domains[s.Name]
	switch {
	case d == nil:
		return nil, nil
	case d.uuid != s.UUID:
		return nil, fmt.Errorf("libvirt has another domain of the name %s", s.Name)
	}
	return d, nil
}

func (l *fakeLibvirt) HasDomain(name string) (bool, error) { return l.domains[name] != nil, nil }
func (*fakeLibvirt) URI() string                           { return "lxc:///" }
func (*fakeLibvirt) CheckFilter(string) error              { return nil }
func (*fakeLibvirt) IsNetworkActive(string) (bool, error)  { return true, nil }
func (*fakeLibvirt) NetworkXML(string) (string, error)     { return "", nil }
func (*fakeLibvirt) SecurityModel() (string, error)        { return "", nil }
func (*fakeLibvirt) HostMemory() (config.Size, error)      { return 1 << 30, nil }
func (*fakeLibvirt) Close()                                {}
func (l *fakeLibvirt) DomainTexts(known func(string, string) bool) ([]string, error) {
	for name, d := range l.domains {
		known(name, d.uuid)
	}
	return nil, nil
}

// fakeDomain is a container whose controller is a process that waits.
type fakeDomain struct {
	libvirt    *fakeLibvirt
	name, uuid string
	process    *exec.Cmd // nil for one that has ended
	pid        int
	console    *os.File
	speaks     *os.File // the other end of the console
	paused     bool
	stays      error // why it cannot be destroyed
	did        []string
}

// ends has the container end by itself.
func (d *fakeDomain) ends() {
	_ = d.process.Process.Kill()
	d.speaks.Close()
}

// isAlive reports whether the container's controller is.
func (d *fakeDomain) isAlive() bool {
	controller, err := proc.Open(d.pid)
	if err != nil {
		return false
	}
	defer controller.Close()
	return !controller.Wait(0)
}

func (d *fakeDomain) ControllerPID() (int, error) {
	if d.process == nil {
		return 0, errors.New("domain is not running")
	}
	return d.process.Process.Pid, nil
}

func (d *fakeDomain) Destroy() error {
	d.did = append(d.did, "destroy")
	if d.process != nil && d.stays == nil {
		_ = d.process.Process.Kill()
	}
	return d.stays
}

func (d *fakeDomain) AwaitGone(name string) error {
	d.did = append(d.did, "await "+name)
	if d.libvirt != nil {
		delete(d.libvirt.domains, name)
	}
	return nil
}

func (d *fakeDomain) IsUp() bool                     { return d.process != nil }
func (d *fakeDomain) IsPaused() bool                 { return d.paused }
func (d *fakeDomain) Suspend() error                 { d.paused = true; return nil }
func (d *fakeDomain) Resume() error                  { d.paused = false; return nil }
func (d *fakeDomain) OpenConsole() (*os.File, error) { return d.console, nil }
func (d *fakeDomain) Free()                          {}

// fakeSystemd is a host's systemd that notes what it is asked to do.
type fakeSystemd struct {
	booted bool
	active bool // whether a unit that is to be started is up already
	own    hostsystemd.OwnUnit
	status *hostsystemd.Status
	fails  error
	calls  []string
}

func (f *fakeSystemd) note(call string) error {
	f.calls = append(f.calls, call)
	return f.fails
}

func (f *fakeSystemd) Booted() bool { return f.booted }
func (f *fakeSystemd) Start(_ context.Context, unit hostsystemd.Unit) (bool, error) {
	return f.active, f.note("start " + unit.Name + " of " + unit.Source)
}
func (f *fakeSystemd) Restart(_ context.Context, unit hostsystemd.Unit) (bool, error) {
	return f.active, f.note("restart " + unit.Name)
}
func (f *fakeSystemd) Stop(_ context.Context, unit hostsystemd.Unit) error {
	return f.note("stop " + unit.Name)
}
func (f *fakeSystemd) Status(context.Context, hostsystemd.Unit) (*hostsystemd.Status, error) {
	return f.status, f.fails
}
func (f *fakeSystemd) RunsAnother(context.Context, hostsystemd.Unit) (bool, error) { return false, nil }

func (f *fakeSystemd) Forget(_ context.Context, name string) error      { return f.note("forget " + name) }
func (f *fakeSystemd) Own(context.Context) (hostsystemd.OwnUnit, error) { return f.own, f.fails }
func (f *fakeSystemd) StartAgain(_ context.Context, unit hostsystemd.OwnUnit, uncounted bool) error {
	name := unit.Name
	if uncounted {
		name += ", uncounted"
	}
	return f.note("start again " + name)
}
func (f *fakeSystemd) RunForking(context.Context, hostsystemd.Service) error { return f.note("run") }
func (f *fakeSystemd) Reload(context.Context) error                          { return f.note("reload") }
func (f *fakeSystemd) BatchReloads(ctx context.Context, do func()) error {
	do()
	return f.Reload(ctx)
}

// fakeInner is the systemd of a container.
type fakeInner struct {
	states map[string]innersystemd.State
	waits  error // what waiting for units ends with
	fails  error // what each reload ends with
	failed []string
	jobs   []string
	closed error // why it cannot be reached
	calls  []string
}

func (f *fakeInner) Unit(_ context.Context, unit string) (innersystemd.State, error) {
	return f.states[unit], nil
}
func (f *fakeInner) WaitActive(_ context.Context, units []string) ([]string, error) {
	var states []string
	for _, unit := range units {
		states = append(states, unit+" is active")
	}
	return states, f.waits
}
func (f *fakeInner) Failed(context.Context) ([]string, error)      { return f.failed, nil }
func (f *fakeInner) RunningJobs(context.Context) ([]string, error) { return f.jobs, nil }
func (f *fakeInner) Reload(_ context.Context, unit string) error {
	f.calls = append(f.calls, "reload "+unit)
	return f.fails
}
func (f *fakeInner) Start(_ context.Context, unit string) error {
	f.calls = append(f.calls, "start "+unit)
	return f.fails
}
func (f *fakeInner) Close() {}

// controllerFile has libvirt's files tell of a container's controller.
func (h *host) controllerFile(d *fakeDomain) {
	h.t.Helper()
	pid := strconv.Itoa(d.pid)
	hosttest.Add(h.t, h.Host.Root, map[string]string{
		"/run/libvirt/lxc/" + d.name + ".pid": pid,
		"/proc/" + pid + "/cmdline":           "/usr/libexec/libvirt_lxc\x00--name\x00" + d.name + "\x00",
	})
}

// hasContent reports whether there is content of a sandbox.
func (h *host) hasContent(s *config.Sandbox) bool {
	h.t.Helper()
	state, err := content.Inspect(s.Content)
	if err != nil {
		h.t.Fatal(err)
	}
	return state == content.Ours
}
