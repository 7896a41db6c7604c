// SPDX-License-Identifier: Apache-2.0

package syscallfilter

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/nameset"
)

// usual are the capabilities of a container with a network of its own.
func usual() []string {
	return []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_ADMIN",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
		"CAP_SYS_TTY_CONFIG",
	}
}

// filter is a compiled program as a machine that runs it.
type filter struct {
	t  *testing.T
	vm *bpf.VM
}

func compile(t *testing.T, p Policy) filter {
	t.Helper()
	r, err := p.rules()
	if err != nil {
		t.Fatal(err)
	}
	program, err := assemble(r, architectures("amd64"))
	if err != nil {
		t.Fatal(err)
	}
	var instructions []bpf.Instruction
	for i := 0; i < len(program); i += 8 {
		raw := bpf.RawInstruction{
			Op: binary.NativeEndian.Uint16(program[i:]), Jt: program[i+2], Jf: program[i+3],
			K: binary.NativeEndian.Uint32(program[i+4:]),
		}
		instructions = append(instructions, raw.Disassemble())
	}
	vm, err := bpf.NewVM(instructions)
	if err != nil {
		t.Fatal(err)
	}
	return filter{t, vm}
}

// of returns what a call gets. The machine of package bpf reads the high byte first, as of packets.
func (f filter) of(architecture, number uint32, arguments ...uint64) verdict {
	f.t.Helper()
	data := make([]byte, offsetArguments+6*8)
	binary.BigEndian.PutUint32(data[offsetNumber:], number)
	binary.BigEndian.PutUint32(data[offsetArchitecture:], architecture)
	for i, a := range arguments {
		low, high := offsetArguments+8*i, offsetArguments+8*i+4
		if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
			low, high = high, low
		}
		binary.BigEndian.PutUint32(data[low:], uint32(a))
		binary.BigEndian.PutUint32(data[high:], uint32(a>>32))
	}
	got, err := f.vm.Run(data)
	if err != nil {
		f.t.Fatal(err)
	}
	return verdict(uint32(got))
}

func (f filter) named(a *arch.Info, name string, arguments ...uint64) verdict {
	f.t.Helper()
	number, found := a.SyscallNames[name]
	if !found {
		f.t.Fatalf("%s has no %s", a.Name, name)
	}
	return f.of(uint32(a.ID), uint32(number), arguments...)
}

// The program says of each call, by its number, what the rules say by its name, on each architecture.
func TestEachCall(t *testing.T) {
	for _, p := range []Policy{
		{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()},
		{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: append(usual(), "CAP_SYS_ADMIN"), UserNamespaces: true},
		{Calls: nameset.Set{Base: nameset.All, Drop: []string{"keyctl"}}},
		{Calls: nameset.Set{Add: []string{"read", "write", "exit_group"}}},
	} {
		f := compile(t, p)
		r, err := p.rules()
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range architectures("amd64") {
			for number, name := range a.SyscallNumbers {
				c := r.on(a, name)
				// No case of the rules holds for these.
				never := []uint64{unix.CLONE_NEWUSER, 1 << 33}
				if name == "socket" {
					never = []uint64{unix.AF_VSOCK}
				}
				if strings.HasPrefix(name, "fcntl") {
					never = []uint64{0, unix.F_SETLEASE}
				}
				if huge := hugeArguments(name); huge != nil {
					never = huge
				}
				if got := f.of(uint32(a.ID), uint32(number), never...); got != c.always {
					t.Errorf("%s of %s: got %#x, want %#x", name, a.Name, got, c.always)
				}
			}
		}
	}
}

// Without CAP_LEASE a file of the host's has no lease, by no number that the kernel takes for it, and
// fcntl(2) does all else.
func TestLeases(t *testing.T) {
	const denied = verdict(unix.SECCOMP_RET_ERRNO | 1)
	plain := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()})
	leasing := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: append(usual(), "CAP_LEASE")})
	const setDelegation = 0x410 // F_SETDELEG
	for command := range uint64(setDelegation + 1) {
		want := allow
		if command == unix.F_SETLEASE || command == setDelegation {
			want = denied
		}
		for _, garbage := range []uint64{0, 1 << 32, math.MaxUint32 << 32} {
			for _, a := range architectures("amd64") {
				if got := plain.named(a, "fcntl", 3, command|garbage); got != want {
					t.Errorf("fcntl %#x of %s: got %#x, want %#x", command|garbage, a.Name, got, want)
				}
			}
		}
		if got := leasing.named(arch.X86_64, "fcntl", 3, command); got != allow {
			t.Errorf("fcntl %#x with CAP_LEASE: got %#x", command, got)
		}
	}
	if got := plain.named(arch.I386, "fcntl64", 3, unix.F_SETLEASE); got != denied {
		t.Errorf("fcntl64: got %#x", got)
	}
}

// The host's audit log, ciphers and devices are out of reach, by any number that the kernel takes for them, and else
// netlink(7) is there.
func TestHostSockets(t *testing.T) {
	const denied = verdict(unix.SECCOMP_RET_ERRNO | unix.EAFNOSUPPORT)
	f := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()})
	with := compile(t, Policy{
		Calls: nameset.Set{Base: nameset.Auto}, Capabilities: append(usual(), "CAP_AUDIT_CONTROL"),
	})
	for protocol := range uint64(mostProtocols) {
		want, withControl := allow, allow
		switch protocol {
		case unix.NETLINK_AUDIT:
			want = denied
		case unix.NETLINK_ISCSI, unix.NETLINK_CONNECTOR, unix.NETLINK_SCSITRANSPORT, unix.NETLINK_ECRYPTFS,
			unix.NETLINK_RDMA, unix.NETLINK_CRYPTO:
			want, withControl = denied, denied
		}
		for _, a := range architectures("amd64") {
			for _, garbage := range []uint64{0, 1 << 32} {
				if got := f.named(a, "socket", unix.AF_NETLINK, unix.SOCK_RAW, protocol|garbage); got != want {
					t.Errorf("protocol %#x of %s: got %#x, want %#x", protocol|garbage, a.Name, got, want)
				}
			}
		}
		if got := with.named(arch.X86_64, "socket", unix.AF_NETLINK, unix.SOCK_RAW, protocol); got != withControl {
			t.Errorf("protocol %d with CAP_AUDIT_CONTROL: got %#x", protocol, got)
		}
	}
	for _, family := range []uint64{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_PACKET} {
		if got := f.named(arch.X86_64, "socket", family, unix.SOCK_RAW, unix.NETLINK_AUDIT); got != allow {
			t.Errorf("family %d: got %#x", family, got)
		}
	}
	for _, family := range []uint64{unix.AF_RDS, unix.AF_TIPC, unix.AF_LLC, unix.AF_NFC} {
		if got := f.named(arch.X86_64, "socket", family, unix.SOCK_DGRAM, 0); got != denied {
			t.Errorf("family %d: got %#x, want %#x", family, got, denied)
		}
	}
	if got := f.named(arch.X86_64, "socket", 1<<32|unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT); got == allow {
		t.Error("a family that the kernel cuts off is allowed")
	}
}

// hugeArguments are those with which a call asks for huge pages; nil for one that cannot.
func hugeArguments(name string) []uint64 {
	return map[string][]uint64{
		"mmap": {0, 4096, 3, unix.MAP_PRIVATE | unix.MAP_HUGETLB}, "mmap2": {0, 4096, 3, unix.MAP_SHARED | unix.MAP_HUGETLB},
		"memfd_create": {0, unix.MFD_CLOEXEC | unix.MFD_HUGETLB}, "shmget": {0, 4096, 0o4000 | 0o1600},
	}[name]
}

// Without CAP_IPC_LOCK no huge pages of the host are had, and all other memory is.
func TestHugePages(t *testing.T) {
	const denied = verdict(unix.SECCOMP_RET_ERRNO | unix.ENOMEM)
	f := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()})
	with := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: append(usual(), "CAP_IPC_LOCK")})
	for name, a := range map[string]*arch.Info{
		"mmap": arch.X86_64, "mmap2": arch.I386, "memfd_create": arch.X86_64, "shmget": arch.X86_64,
	} {
		huge := hugeArguments(name)
		plain := slices.Clone(huge)
		plain[len(plain)-1] = 1
		if got := f.named(a, name, huge...); got != denied {
			t.Errorf("%s: got %#x, want %#x", name, got, denied)
		}
		if got := f.named(a, name, plain...); got != allow {
			t.Errorf("%s without them: got %#x", name, got)
		}
		if got := with.named(a, name, huge...); got != allow {
			t.Errorf("%s with CAP_IPC_LOCK: got %#x", name, got)
		}
	}
	if got := f.named(arch.I386, "mmap", hugeArguments("mmap")...); got != allow {
		t.Errorf("mmap of i386, whose second to sixth arguments are none: got %#x", got)
	}
	if got := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto, Drop: []string{"mmap"}}}).
		named(arch.I386, "mmap"); got == allow {
		t.Error("mmap of i386 is allowed though it was dropped")
	}
}

// Where set-user-ID files would be the host's, none is made by any call, whatever else the mode says; all else that
// makes and opens files goes on.
func TestSetID(t *testing.T) {
	const denied, absent = verdict(unix.SECCOMP_RET_ERRNO | 1), verdict(unix.SECCOMP_RET_ERRNO | unix.ENOSYS)
	const maker = unix.O_CREAT | unix.O_WRONLY
	sharing := Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual(), NoSetID: true}
	everything := Policy{Calls: nameset.Set{Base: nameset.All}, UserNamespaces: true, NoSetID: true}
	for _, p := range []Policy{sharing, everything} {
		f := compile(t, p)
		for _, a := range architectures("amd64") {
			for mode := range uint64(0o10000) {
				want := allow
				if mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
					want = denied
				}
				for call, got := range map[string]verdict{
					"chmod": f.named(a, "chmod", 0, mode|1<<40), "fchmod": f.named(a, "fchmod", 3, mode|1<<16),
					"fchmodat": f.named(a, "fchmodat", 3, 0, mode), "mknod": f.named(a, "mknod", 0, mode|unix.S_IFREG),
					"mknodat": f.named(a, "mknodat", 3, 0, mode), "creat": f.named(a, "creat", 0, mode),
					"open": f.named(a, "open", 0, maker, mode), "openat": f.named(a, "openat", 3, 0, maker, mode),
					"openat of no name": f.named(a, "openat", 3, 0, unix.O_TMPFILE|unix.O_RDWR, mode),
				} {
					if got != want {
						t.Fatalf("%s of %s with %#o: got %#x, want %#x", call, a.Name, mode, got, want)
					}
				}
				// What is left in the register of the mode.
				if got := f.named(a, "openat", 3, 0, unix.O_DIRECTORY|unix.O_CLOEXEC, mode); got != allow {
					t.Fatalf("openat of %s without a mode: got %#x", a.Name, got)
				}
			}
			if got := f.named(a, "openat2"); got != absent {
				t.Errorf("openat2 of %s: got %#x", a.Name, got)
			}
			if got := f.named(a, "io_uring_setup"); got == allow {
				t.Errorf("io_uring_setup of %s is allowed", a.Name)
			}
		}
	}
	usual := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()})
	if got := usual.named(arch.X86_64, "chmod", 0, 0o4755); got != allow {
		t.Errorf("chmod elsewhere: got %#x", got)
	}
}

// What the issue wants out of reach is; what programs need is not.
func TestUsualCalls(t *testing.T) {
	const permitted, denied, absent = allow, verdict(unix.SECCOMP_RET_ERRNO | 1), verdict(unix.SECCOMP_RET_ERRNO | 38)
	const unknown = verdict(unix.SECCOMP_RET_ERRNO | unix.EAFNOSUPPORT)
	plain := Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()}
	admin := Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: append(usual(), "CAP_SYS_ADMIN")}
	nesting := Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual(), UserNamespaces: true}
	everything := Policy{Calls: nameset.Set{Base: nameset.All}}
	chosen := Policy{Calls: nameset.Set{
		Base: nameset.Auto, Add: []string{"keyctl", "unshare"}, Drop: []string{"ptrace"},
	}, Capabilities: usual()}
	for _, c := range []struct {
		name                                        string
		arguments                                   []uint64
		plain, admin, nesting, everything, selected verdict
	}{
		{"openat", nil, permitted, permitted, permitted, permitted, permitted},
		{"seccomp", nil, permitted, permitted, permitted, permitted, permitted},
		{"ptrace", nil, permitted, permitted, permitted, permitted, denied},
		{"chroot", nil, permitted, permitted, permitted, permitted, permitted},
		{"vhangup", nil, permitted, permitted, permitted, permitted, permitted},
		{"keyctl", nil, denied, denied, denied, permitted, permitted},
		{"add_key", nil, denied, denied, denied, permitted, denied},
		{"request_key", nil, denied, denied, denied, permitted, denied},
		{"kexec_load", nil, denied, denied, denied, permitted, denied},
		{"finit_module", nil, denied, denied, denied, permitted, denied},
		{"swapon", nil, denied, denied, denied, permitted, denied},
		{"bpf", nil, denied, permitted, denied, permitted, denied},
		{"perf_event_open", nil, denied, permitted, denied, permitted, denied},
		{"userfaultfd", nil, denied, denied, denied, permitted, denied},
		{"io_uring_setup", nil, denied, denied, denied, permitted, denied},
		{"open_by_handle_at", nil, denied, denied, denied, permitted, denied},
		{"pidfd_getfd", nil, denied, denied, denied, permitted, denied},
		{"fanotify_init", nil, denied, permitted, denied, permitted, denied},
		{"mount", nil, denied, permitted, permitted, permitted, denied},
		{"open_tree", nil, denied, permitted, permitted, permitted, denied},
		{"pivot_root", nil, denied, permitted, permitted, permitted, denied},
		{"clone3", nil, absent, absent, permitted, absent, absent},
		{"clone", []uint64{unix.CLONE_VM | unix.CLONE_VFORK}, permitted, permitted, permitted, permitted, permitted},
		{"clone", []uint64{unix.CLONE_NEWUSER}, denied, denied, permitted, denied, denied},
		{"clone", []uint64{unix.CLONE_NEWUSER | 1<<40}, denied, denied, permitted, denied, denied},
		{"clone", []uint64{unix.CLONE_NEWNS}, denied, permitted, permitted, permitted, denied},
		{"unshare", []uint64{unix.CLONE_NEWUSER | unix.CLONE_FS}, denied, denied, permitted, denied, permitted},
		{"unshare", []uint64{unix.CLONE_NEWNS}, denied, permitted, permitted, permitted, permitted},
		{"socket", []uint64{unix.AF_INET6}, permitted, permitted, permitted, permitted, permitted},
		{"socket", []uint64{unix.AF_ALG}, unknown, unknown, unknown, permitted, unknown},
		{"socket", []uint64{unix.AF_VSOCK}, unknown, unknown, unknown, permitted, unknown},
		{"personality", []uint64{0xffffffff}, permitted, permitted, permitted, permitted, permitted},
		{"personality", []uint64{0x0400000}, denied, denied, denied, permitted, denied},
	} {
		for _, try := range []struct {
			of   string
			p    Policy
			want verdict
		}{
			{"plain", plain, c.plain}, {"admin", admin, c.admin}, {"nesting", nesting, c.nesting},
			{"all", everything, c.everything}, {"chosen", chosen, c.selected},
		} {
			if got := compile(t, try.p).named(arch.X86_64, c.name, c.arguments...); got != try.want {
				t.Errorf("%s: %s %#x: got %#x, want %#x", try.of, c.name, c.arguments, got, try.want)
			}
		}
	}
}

// Calls that the tables do not know are answered as an older kernel would, and no architecture is a way around.
func TestOtherNumbers(t *testing.T) {
	const absent = verdict(unix.SECCOMP_RET_ERRNO | unix.ENOSYS)
	for _, base := range []nameset.Base{nameset.Auto, nameset.All} {
		f := compile(t, Policy{Calls: nameset.Set{Base: base, Drop: []string{"keyctl"}}})
		x32 := uint32(arch.X32.SeccompMask | arch.X32.SyscallNames["keyctl"])
		if got := f.of(uint32(arch.X86_64.ID), x32); got != absent {
			t.Errorf("%s: keyctl of x32: got %#x", base, got)
		}
		if got := f.of(uint32(arch.AARCH64.ID), 0); got == allow {
			t.Errorf("%s: a call of another machine is allowed", base)
		}
		if got := f.named(arch.I386, "keyctl"); got == allow {
			t.Errorf("%s: keyctl of i386 is allowed", base)
		}
	}
	f := compile(t, Policy{Calls: nameset.Set{Base: nameset.Auto}})
	if got := f.of(uint32(arch.X86_64.ID), 1000); got != absent {
		t.Errorf("a call of a newer kernel: got %#x, want %#x", got, absent)
	}
}

// A name that the machine does not have is reported; nothing to filter makes no program.
func TestCompile(t *testing.T) {
	if Names() == nil {
		t.Skipf("%s has no table of system calls", runtime.GOARCH)
	}
	_, err := Compile(Policy{Calls: nameset.Set{Base: nameset.Auto, Add: []string{"keyctl", "keyctrl"}}})
	if unknown := UnknownError(""); !errors.As(err, &unknown) || unknown != "keyctrl" ||
		!strings.HasSuffix(err.Error(), "; did you mean keyctl?") {
		t.Errorf("an unknown name: got %v", err)
	}
	program, err := Compile(Policy{Calls: nameset.Set{Base: nameset.All}, UserNamespaces: true})
	if err != nil || program != nil {
		t.Errorf("all: got %d bytes, %v", len(program), err)
	}
	if program, err = Compile(Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()}); err != nil {
		t.Fatal(err)
	}
	t.Logf("the usual filter has %d instructions", len(program)/8)
}

// Each machine that has calls of its own is known to the tables.
func TestArchitectures(t *testing.T) {
	for _, machine := range []string{"amd64", "arm64", "386", "arm"} {
		for _, a := range architectures(machine) {
			if len(a.SyscallNumbers) == 0 || a.SyscallNames["read"] == a.SyscallNames["write"] {
				t.Errorf("%s: the table of %s is empty", machine, a.Name)
			}
		}
	}
	if architectures("riscv64") != nil {
		t.Error("riscv64 has a table now: write it down")
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(Policy{Calls: nameset.Set{Base: nameset.Auto}, Capabilities: usual()}); err != nil {
			b.Fatal(err)
		}
	}
}
