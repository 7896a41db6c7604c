// SPDX-License-Identifier: Apache-2.0

// Package syscallfilter makes the seccomp filter of a container: which system calls its processes can make. In: what
// the config wants and the capabilities that the processes can have; out: a program for the kernel, which
// virt-sandbox-init loads. The list of what is harmless is moby's profile, the numbers of calls are elastic's tables;
// init, which every start pays for, has neither.
package syscallfilter

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/elastic/go-seccomp-bpf/arch"
	profile "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/nameset"
	"github.com/virt-sandbox/virt-sandbox/internal/suggest"
)

// Policy is what a filter is made from.
type Policy struct {
	Calls          nameset.Set // Auto, as the zero value: what the capabilities leave harmless
	Capabilities   []string    // that processes can ever have, such as CAP_SYS_ADMIN
	UserNamespaces bool        // whether processes can make user namespaces
	NoSetID        bool        // whether they make no set-user-ID and set-group-ID files
}

// UnknownError is a system call that this machine does not have.
type UnknownError string

func (e UnknownError) Error() string {
	return fmt.Sprintf("%q is not a system call of %s (syscalls(2))%s", string(e), runtime.GOARCH,
		suggest.DidYouMean("%s", string(e), Names()))
}

// Names lists the system calls of this machine's architecture; none where there can be no filter.
func Names() []string {
	list := architectures(runtime.GOARCH)
	if len(list) == 0 {
		return nil
	}
	all := make([]string, 0, len(list[0].SyscallNames))
	for name := range list[0].SyscallNames {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Check reports the first name of a set that this machine knows in none of its architectures, as an UnknownError.
func Check(calls nameset.Set) error {
	list := architectures(runtime.GOARCH)
	for _, name := range slices.Concat(calls.Add, calls.Drop) {
		known := func(a *arch.Info) bool { _, found := a.SyscallNames[name]; return found }
		if !slices.ContainsFunc(list, known) {
			return UnknownError(name)
		}
	}
	return nil
}

// Compile returns the program of a filter, as the kernel takes it (seccomp(2)); nothing where nothing is to be
// filtered, and where nothing was chosen on an architecture whose system calls are not known here. Errors: an
// UnknownError.
func Compile(p Policy) ([]byte, error) {
	if err := Check(p.Calls); err != nil {
		return nil, err
	}
	list := architectures(runtime.GOARCH)
	everything := p.Calls.Base == nameset.All && len(p.Calls.Drop) == 0 && p.UserNamespaces && !p.NoSetID
	if len(list) == 0 || everything {
		return nil, nil
	}
	if p.Calls.Base == nameset.None && len(p.Calls.Add) == 0 {
		p.Calls.Base = nameset.Auto
	}
	rules, err := p.rules()
	if err != nil {
		return nil, err
	}
	return assemble(rules, list)
}

// architectures lists those whose programs a machine runs, its own first; none where its calls are not known. Calls of
// x32 are not among them: no distribution's programs make them.
func architectures(machine string) []*arch.Info {
	switch machine {
	case "amd64":
		return []*arch.Info{arch.X86_64, arch.I386}
	case "arm64":
		return []*arch.Info{arch.AARCH64, arch.ARM}
	case "386":
		return []*arch.Info{arch.I386}
	case "arm":
		return []*arch.Info{arch.ARM}
	}
	return nil
}

// rules are those of all calls by their names, and what holds for the others.
type rules struct {
	byName map[string]call
	others verdict
}

// call is what a system call gets: an answer in any case, or one for its arguments.
type call struct {
	always  verdict // where no case holds
	allowed []arguments
}

// arguments are conditions that hold together.
type arguments []specs.LinuxSeccompArg

// nestingCalls are those that a user namespace is made and filled with. Inside, its processes have every capability,
// and the kernel sees to it that they reach no further.
func nestingCalls() []string {
	return []string{
		"clone", "clone3", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
		"pivot_root", "setdomainname", "sethostname", "setns", "umount", "umount2", "unshare",
	}
}

func (p Policy) rules() (rules, error) {
	r := rules{byName: make(map[string]call), others: refused(unix.EPERM)}
	switch p.Calls.Base {
	case nameset.All:
		r.others = allow
	case nameset.Auto:
		if err := r.addHarmless(p.Capabilities); err != nil {
			return r, err
		}
		if slices.Contains(p.Capabilities, "CAP_SYS_ADMIN") {
			r.byName["pivot_root"] = call{always: allow}
		}
		if p.UserNamespaces {
			r.set(allow, nestingCalls())
		}
		if !slices.Contains(p.Capabilities, "CAP_LEASE") {
			r.withoutLeases()
		}
		r.withoutHostSockets(slices.Contains(p.Capabilities, "CAP_AUDIT_CONTROL"))
		if !slices.Contains(p.Capabilities, "CAP_IPC_LOCK") {
			r.withoutHugePages()
		}
	}
	if !p.UserNamespaces && p.Calls.Base != nameset.None {
		r.withoutUserNamespaces()
	}
	if p.NoSetID {
		r.withoutSetID()
	}
	r.set(allow, p.Calls.Add)
	r.set(refused(unix.EPERM), p.Calls.Drop)
	return r, nil
}

func (r rules) set(v verdict, names []string) {
	for _, name := range names {
		r.byName[name] = call{always: v}
	}
}

// addHarmless takes moby's profile, which is that of docker and, but for a few calls, of podman.
func (r rules) addHarmless(capabilities []string) error {
	calls, err := profile.GetDefaultProfile(&specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: capabilities}},
	})
	if err != nil {
		return fmt.Errorf("read the profile of system calls: %w", err)
	}
	for _, rule := range calls.Syscalls {
		for _, name := range rule.Names {
			c, found := r.byName[name]
			if !found {
				c.always = r.others
			}
			switch {
			case rule.Action == specs.ActErrno && len(rule.Args) == 0 && rule.ErrnoRet != nil:
				c.always = refused(unix.Errno(*rule.ErrnoRet))
			case rule.Action == specs.ActAllow && len(rule.Args) == 0:
				c.always = allow
			case rule.Action == specs.ActAllow:
				c.allowed = append(c.allowed, rule.Args)
			default:
				return fmt.Errorf("the profile of system calls has a rule of another kind, for %s", name)
			}
			r.byName[name] = c
		}
	}
	return nil
}

// withoutUserNamespaces takes from calls that are allowed the making of user namespaces. clone3(2) has its flags where
// a filter cannot see them; it is answered as by a kernel without it, so that C libraries take clone(2).
func (r rules) withoutUserNamespaces() {
	for _, name := range []string{"clone", "unshare"} {
		if r.of(name).always == allow {
			r.byName[name] = call{
				always: refused(unix.EPERM),
				allowed: []arguments{{{
					Index: 0, Value: unix.CLONE_NEWUSER, ValueTwo: 0, Op: specs.OpMaskedEqual,
				}}},
			}
		}
	}
	if r.of("clone3").always == allow {
		r.byName["clone3"] = call{always: refused(unix.ENOSYS)}
	}
}

// withoutLeases takes leases from fcntl(2), F_SETLEASE and F_SETDELEG: whoever opens or executes a file then waits for
// its holder, up to fs.lease-break-time, and who may read a file as its owner can have one. So root inside could hold
// up all of the host that opens /etc/passwd or executes what is in /usr. The kernel reads only the low half of the
// argument, and so does this.
func (r rules) withoutLeases() {
	const ofLinux, low = 0x400, 0x0f // Beside those two, no command of Linux's own has its low bits clear.
	without := call{always: refused(unix.EPERM), allowed: []arguments{{bits(1, ofLinux, 0)}}}
	for bit := uint64(1); bit <= low; bit <<= 1 {
		without.allowed = append(without.allowed, arguments{bits(1, bit, bit)})
	}
	for _, name := range []string{"fcntl", "fcntl64"} {
		if r.of(name).always == allow {
			r.byName[name] = without
		}
	}
}

// bits is the condition that an argument has some bits as in a value.
func bits(index uint, mask, value uint64) specs.LinuxSeccompArg {
	return specs.LinuxSeccompArg{Index: index, Value: mask, ValueTwo: value, Op: specs.OpMaskedEqual}
}

// of returns what holds for a call.
func (r rules) of(name string) call {
	if c, found := r.byName[name]; found {
		return c
	}
	return call{always: r.others}
}
