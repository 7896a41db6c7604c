// SPDX-License-Identifier: Apache-2.0

// Package units is the text of the units that run containers on the host: the stub that create writes and systemctl can
// enable, and what the generator adds to it. In: a config and where things lie; out: text. It reads units to tell ours
// from others, and writes nothing. The generator and the service tool call it.
package units

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/directive"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// Places of units and of what adds to them.
const (
	// Dir is where the administrator's units lie, and create's stubs among them.
	Dir = "/etc/systemd/system"
	// ControlDir is where systemctl set-property keeps what it is told.
	ControlDir = "/etc/systemd/system.control"
	// DropInFile is the file below UNIT.d that completes a stub.
	DropInFile = "50-virt-sandbox.conf"
	// Target is what an enabled container starts with.
	Target = "multi-user.target"
)

// Path returns the directories in which systemd looks for units and drop-ins that packages or administrators put there
// (systemd.unit(5)).
func Path() []string {
	return []string{
		"/etc/systemd/system.control", "/run/systemd/system.control", Dir, "/run/systemd/system",
		"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
	}
}

// grace is what the helper gets beyond the container's own time limits, to say what went wrong.
const grace = 30 * time.Second

const documentation = "man:virt-sandbox-service(1) man:virt-sandbox.config(5)"

// Paths are the places that the text of a unit names.
type Paths struct {
	Config    string // the sandbox's config, where an administrator's lies
	Source    string // where it is read; empty for Config
	ConfigDir string // the directory of configs where it is not the default one, else ""
	Helper    string // virt-sandbox-service-helper

	// UnitOf returns the unit of another sandbox; "" where that is not there. Nil knows none.
	UnitOf func(sandbox string) string
}

// unitOf returns the unit of another sandbox. For one that is not there it is a unit that is not there either, which
// systemd makes of it what a dependency on such a one is.
func (p Paths) unitOf(sandbox string) string {
	unit := ""
	if p.UnitOf != nil {
		unit = p.UnitOf(sandbox)
	}
	return cmp.Or(unit, unitname.Instance("virt-sandbox", sandbox).String())
}

// Stub returns the file that makes systemctl enable work: systemd enables no unit that only a generator made.
func Stub(s *config.Sandbox, p Paths) []byte {
	var t text
	t.comment("Made by virt-sandbox-service create. The generator of virt-sandbox adds what it does, " +
		"from the config below.")
	t.head(description(s), p)
	t.section("Install")
	t.set("WantedBy", Target)
	return t.Bytes()
}

// IsStub reports whether a unit file is one that Stub wrote for the config: it says where it comes from and not what to
// do. A full unit, such as systemctl edit --full makes, is the administrator's.
func IsStub(file []byte, configFile string) bool {
	return stubSource(file) == specifiers(configFile)
}

// IsAnyStub reports whether a unit file is one that Stub wrote for some config.
func IsAnyStub(file []byte) bool {
	return strings.HasSuffix(stubSource(file), config.Suffix)
}

// IsOf reports whether a unit file, stub or full, is one for the config.
func IsOf(file []byte, configFile string) bool {
	source, _ := sourceOf(file)
	return source == specifiers(configFile)
}

// stubSource returns SourcePath= of a unit file that does not say what to do; "" for any other.
func stubSource(file []byte) string {
	source, full := sourceOf(file)
	if full {
		return ""
	}
	return source
}

// sourceOf returns SourcePath= of a unit file, and whether it says what to do.
func sourceOf(file []byte) (source string, full bool) {
	for l := range strings.Lines(string(file)) {
		l = strings.TrimSpace(l)
		full = full || strings.HasPrefix(l, "ExecStart=")
		if value, found := strings.CutPrefix(l, "SourcePath="); found {
			source = value
		}
	}
	return source, full
}

// Full returns the unit of a container without a stub.
func Full(s *config.Sandbox, p Paths) []byte {
	var t text
	t.generated()
	t.head(description(s), p)
	t.body(s, p)
	return t.Bytes()
}

// DropIn returns the drop-in that completes a stub.
func DropIn(s *config.Sandbox, p Paths) []byte {
	var t text
	t.generated()
	t.section("Unit")
	t.set("Description", sentence(description(s)))
	if p.Source != "" && p.Source != p.Config {
		t.set("SourcePath", specifiers(p.Source))
	}
	t.body(s, p)
	return t.Bytes()
}

// ErrorUnit returns a unit for a config that cannot be used: its start fails with the reason, which also stands in the
// description. A container that was started before can still be stopped. name is the sandbox's. As a drop-in it
// completes a stub.
func ErrorUnit(name, reason string, p Paths) []byte {
	var t text
	t.generated()
	t.head("virt-sandbox container "+name+": unusable: "+reason, p)
	t.section("Service")
	t.set("Type", "notify")
	t.environment(p)
	helper := command(p.Helper)
	t.set("ExecStart", helper+" explain "+name)
	t.set("ExecStop", helper+" stop "+name)
	t.clean(helper, name)
	t.set("KillMode", "mixed")
	t.comment("The helper knows how long the container may take.")
	t.set("TimeoutStopSec", "infinity")
	t.output()
	return t.Bytes()
}

func description(s *config.Sandbox) string {
	what := strings.Join(s.Units, " ")
	if s.Generic() {
		what = s.Command[0]
	}
	return "virt-sandbox container " + s.Name + ": " + what
}

// clean has the helper see to what is left when the unit has ended: systemd asks the second where the first was killed,
// and else it finds nothing to do.
func (t *text) clean(helper, name string) {
	t.set("ExecStopPost", "-"+helper+" clean "+name)
	t.set("ExecStopPost", helper+" clean "+name)
}

// output says how what the helper and the container print becomes entries of the journal: a number in angle brackets
// before a line is no priority, since the container's console could make emergencies of the host with it.
func (t *text) output() { t.set("SyslogLevelPrefix", "no") }

// body writes what a unit does, after the head of [Unit].
func (t *text) body(s *config.Sandbox, p Paths) {
	mounts, devices := sources(s)
	if len(mounts) > 0 {
		t.set("RequiresMountsFor", strings.Join(mounts, " "))
	}
	if len(devices) > 0 {
		t.set("Wants", strings.Join(devices, " "))
		t.set("After", strings.Join(devices, " "))
	}
	t.set("After", "libvirtd.socket virtlxcd.socket libvirtd.service virtlxcd.service dbus.socket "+
		"systemd-machined.service")
	if slices.ContainsFunc(s.ImageFiles(), func(f config.ImageFile) bool { return f.Format == config.FormatQCOW2 }) {
		t.comment("Images in qcow2 become block devices by it; the helper may load no modules.")
		t.set("Wants", "modprobe@nbd.service")
		t.set("After", "modprobe@nbd.service")
	}
	t.comment("At the host's shutdown libvirt's own scopes end after this target; an orderly stop comes before.")
	t.set("Wants", "virt-guest-shutdown.target")
	t.set("After", "virt-guest-shutdown.target")
	if len(s.Interfaces) > 0 {
		t.set("After", "virtnetworkd.socket virtnwfilterd.socket virtnetworkd.service virtnwfilterd.service")
	}
	if needsHostNetwork(s) {
		t.set("Wants", "network-online.target")
		t.set("After", "network.target network-online.target")
	}
	for _, d := range s.Unit {
		t.set(d.Name, directive.WithUnits(d.Name, d.Value, p.unitOf))
	}
	t.section("Service")
	t.set("Type", "notify")
	t.set("NotifyAccess", "exec")
	t.environment(p)
	helper := command(p.Helper)
	t.set("ExecStart", helper+" run "+s.Name)
	t.set("ExecReload", helper+" reload "+s.Name)
	t.set("ExecStop", helper+" stop "+s.Name)
	t.clean(helper, s.Name)
	t.set("KillMode", "mixed")
	limit := s.Limits.StartTimeout + grace
	if len(s.Interfaces) > 0 {
		limit += config.NetworkTimeout
	}
	t.set("TimeoutStartSec", seconds(limit))
	t.set("TimeoutStopSec", seconds(s.Limits.StopTimeout+grace))
	t.set("Restart", s.Restart)
	t.comment("A helper that is killed is followed by another, which takes the container over; " +
		"the last command sees to that.")
	t.set("RestartPreventExitStatus", "SIGKILL SIGABRT SIGBUS SIGFPE SIGILL SIGSEGV SIGSYS SIGTRAP")
	t.set("OOMPolicy", "continue")
	t.output()
	if s.Generic() {
		// What shells make of the signal that stop sends.
		t.set("SuccessExitStatus", "143")
	} else {
		t.comment("A reboot from inside.")
		restarts := "133"
		if s.OnFailure == config.OnFailureRestart {
			t.comment("A unit inside that failed.")
			restarts += " 69"
		}
		t.set("RestartForceExitStatus", restarts)
		t.set("SuccessExitStatus", "133")
	}
	t.confine(s, p)
	for _, d := range s.ServiceAt(directive.Host) {
		t.set(d.Name, d.Value)
	}
}

// needsHostNetwork reports whether the container has the host's network or a bridge that is made with it.
func needsHostNetwork(s *config.Sandbox) bool {
	hasBridge := func(i config.Interface) bool { return i.Bridge != "" }
	return s.Network == config.NetworkHost || slices.ContainsFunc(s.Interfaces, hasBridge)
}

// confine keeps the helper from what it has no use for. It must see all processes and the host's files, write content,
// and enter a container's namespaces under the container's label, for which NoNewPrivileges= leaves no way.
func (t *text) confine(s *config.Sandbox, p Paths) {
	capabilities, families := "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_FSETID CAP_KILL "+
		"CAP_SETFCAP CAP_SETGID CAP_SETPCAP CAP_SETUID CAP_SYS_ADMIN CAP_SYS_CHROOT CAP_SYS_PTRACE", "AF_UNIX"
	if len(s.Interfaces) > 0 {
		// In the container's network, and to look after its bridge.
		capabilities += " CAP_NET_ADMIN CAP_NET_BIND_SERVICE CAP_NET_RAW"
		families += " AF_INET AF_NETLINK AF_PACKET"
	}
	t.comment("The container is confined by libvirt; this is about the helper beside it.")
	t.set("CapabilityBoundingSet", capabilities)
	t.set("LockPersonality", "yes")
	t.set("MemoryDenyWriteExecute", "yes")
	t.set("ProtectHostname", "yes")
	t.set("ProtectKernelLogs", "yes")
	t.set("ProtectKernelModules", "yes")
	t.set("ProtectSystem", "full")
	if p.ConfigDir != "" {
		// What was allocated lies in it too.
		t.set("ReadWritePaths", quote("-"+specifiers(p.ConfigDir)))
	}
	t.set("RestrictAddressFamilies", families)
	t.set("RestrictRealtime", "yes")
	t.set("SystemCallArchitectures", "native")
}

// sources lists what must be there before the container starts: paths that must be mounted, and units of block devices
// (systemd.device(5)). A path that the directive's quoting cannot carry is left out, and so is a unit with too long a
// name: the start then says what is missing.
func sources(s *config.Sandbox) (mounts, devices []string) {
	mount := func(p string) {
		if !strings.ContainsAny(p, `"'\`) {
			mounts = append(mounts, quote(specifiers(p)))
		}
	}
	mount(s.Content)
	for _, f := range s.ImageFiles() {
		if !isDevice(f.Path) {
			mount(f.Path)
			continue
		}
		d := unit.UnitNamePathEscape(f.Path) + ".device"
		if len(d) <= maxUnitName && !slices.Contains(devices, d) {
			devices = append(devices, d)
		}
	}
	for _, m := range s.Mounts {
		if m.Kind.ShowsHostFiles() {
			mount(m.Source)
		}
	}
	return mounts, devices
}

// maxUnitName bounds the names of units (systemd.unit(5)).
const maxUnitName = 255

// isDevice tells by its path alone, since it need not be there yet, whether a source is a device's node. What is
// mounted below /dev has files.
func isDevice(p string) bool {
	if !strings.HasPrefix(p, "/dev/") {
		return false
	}
	isBelow := func(dir string) bool { return strings.HasPrefix(p, "/dev/"+dir+"/") }
	return !slices.ContainsFunc([]string{"shm", "hugepages", "mqueue"}, isBelow)
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) + "s" }
