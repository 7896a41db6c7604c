// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/hostetc"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// machineAttempt is what a hostile virtual machine has QEMU do.
type machineAttempt struct {
	name    string
	allowed bool // since the machine is shown it, or was given it
	try     func() error
}

// machineAttempts are those of a machine that was given what lies below dir: disk and shared of its own, the copy of
// /etc that all have; disk, shared and initrd of another.
func machineAttempts(dir string) []machineAttempt {
	read := func(file string) func() error {
		return func() error {
			_, err := os.ReadFile(file)
			return err
		}
	}
	write := func(file string) func() error {
		return func() error {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644)
			if err == nil {
				_, err = f.WriteString("written\n")
				err = errors.Join(err, f.Close())
			}
			return err
		}
	}
	list := func(name string) func() error {
		return func() error {
			_, err := os.ReadDir(name)
			return err
		}
	}
	return []machineAttempt{
		{"read a program", true, read("/usr/bin/env")},
		{"list /usr", true, list("/usr")},
		{"read os-release", true, read("/usr/lib/os-release")},
		{"read the copy of passwd", true, read(dir + "/etc/passwd")},
		{"read a unit", true, read("/usr/lib/systemd/system/multi-user.target")},
		{"write its disk", true, write(dir + "/disk")},
		{"write to its directory", true, write(dir + "/shared/file")},

		{"read passwd", false, read("/etc/passwd")},
		{"read shadow", false, read("/etc/shadow")},
		{"write shadow", false, write("/etc/shadow")},
		{"read a host key", false, read("/etc/ssh/ssh_host_ed25519_key")},
		{"read configs", false, list("/etc/libvirt-sandbox/services")},
		{"write to /etc", false, write("/etc/written")},
		{"write passwd", false, write("/etc/passwd")},
		{"write to /usr", false, write("/usr/written")},
		{"write a program", false, write("/usr/bin/env")},
		{"make a directory in /usr", false, func() error { return os.Mkdir("/usr/made", 0o755) }},
		{"link a program", false, func() error { return os.Link("/usr/bin/env", dir+"/shared/env") }},
		{"change a mode", false, func() error { return os.Chmod("/usr/bin/env", 0o777) }},
		{"change an owner", false, func() error { return os.Lchown(dir+"/shared/file", 65534, 65534) }},
		{"list root's home", false, list("/root")},
		{"list the homes", false, list("/home")},
		{"read libvirt's images", false, read("/var/lib/libvirt/images/other")},
		{"read another's disk", false, read(dir + "/other/disk")},
		{"write another's disk", false, write(dir + "/other/disk")},
		{"read another's directory", false, read(dir + "/other/shared")},
		{"read another's initrd", false, read(dir + "/other/run/initrd")},
		{"write an initrd", false, write(dir + "/other/run/initrd")},
		{"read the environment of the first process", false, read("/proc/1/environ")},
		{"read the kernel's log", false, read("/dev/kmsg")},
		{"read the host's disk", false, read("/dev/nvme0n1")},
		{"write to the host's disk", false, write("/dev/nvme0n1")},
		{"make a disk", false, func() error { return unix.Mknod(dir+"/shared/node", unix.S_IFBLK|0o600, 0x103<<8) }},
		{"set up the kernel", false, write("/proc/sys/kernel/core_pattern")},
		{"switch SELinux", false, write("/sys/fs/selinux/enforce")},
		{"mount", false, func() error { return unix.Mount("none", dir+"/shared", "tmpfs", 0, "") }},
		{"execute a program", false, func() error { return exec.Command("/usr/bin/env").Run() }},
		{"execute itself", false, func() error { return exec.Command("/proc/self/exe").Run() }},
		{"execute what it wrote", false, func() error { return exec.Command(dir + "/shared/file").Run() }},
		{"signal the first process", false, func() error { return unix.Kill(1, 0) }},
		{"trace the first process", false, func() error { return unix.PtraceAttach(1) }},
		{"connect to a server", false, func() error {
			c, err := net.Dial("tcp", "127.0.0.1:9")
			if errors.Is(err, unix.ECONNREFUSED) {
				return nil // It was let ask.
			}
			if err == nil {
				c.Close()
			}
			return err
		}},
		{"listen on a port", false, func() error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				l.Close()
			}
			return err
		}},
		{"call libvirtd", false, func() error {
			c, err := net.Dial("unix", "/run/libvirt/libvirt-sock")
			if err == nil {
				c.Close()
			}
			return err
		}},
	}
}

// attemptAsMachine makes them and prints what came of each: nothing where it went well.
func attemptAsMachine(dir string) error {
	results := make(map[string]string)
	for _, a := range machineAttempts(dir) {
		results[a.name] = ""
		if err := a.try(); err != nil {
			results[a.name] = err.Error()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(results)
}

// checkMachineAttempts holds what the attempts printed against what is allowed.
func checkMachineAttempts(t *testing.T, dir, printed string) {
	t.Helper()
	var results map[string]string
	if err := json.Unmarshal([]byte(printed), &results); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	denied := 0
	for _, a := range machineAttempts(dir) {
		result, tried := results[a.name]
		if !tried || a.allowed != (result == "") {
			t.Errorf("%s: %q", a.name, result)
		}
		if result != "" {
			denied++
		}
	}
	t.Logf("%d attempts, %d denied", len(results), denied)
}

// Root with the label of a virtual machine, as QEMU is where it writes to a directory of root's, reads what the machine
// is shown, writes what it was given, and does nothing else.
func TestSELinuxMachineAttempts(t *testing.T) {
	rig.On(t, rig.Attempts)
	rig.Needs(t, rig.SELinux)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const dir, other = "/var/lib/libvirt/t-machine", "/var/lib/libvirt/images/other"
	t.Cleanup(func() { os.RemoveAll(dir); os.Remove(other) })
	shell(t, `set -e
label() { chcon system_u:object_r:$1:$2 $3; }
mkdir -p `+dir+`/shared `+dir+`/etc `+dir+`/other/run /var/lib/libvirt/images
cd `+dir+`
install -m 755 `+self+` attempt
echo secret | tee etc/passwd disk other/disk other/shared other/run/initrd >`+other+`
label qemu_exec_t s0 attempt
label container_ro_file_t s0 etc; label container_ro_file_t s0 etc/passwd
label svirt_image_t s0:c5,c6 disk; label container_file_t s0:c5,c6 shared
label svirt_image_t s0:c7,c8 other/disk; label container_file_t s0:c7,c8 other/shared
label virt_content_t s0 other/run/initrd; label virt_content_t s0:c7,c8 other/run`)
	o := runCommand(t, exec.Command("runcon", "system_u:system_r:virt_sandbox_vm_t:s0:c5,c6", dir+"/attempt", "as-machine",
		dir))
	if o.status != 0 {
		t.Fatalf("%+v", o)
	}
	checkMachineAttempts(t, dir, o.stdout)
	if got := shell(t, "stat -c %C "+dir+"/shared/file; cat "+dir+
		"/disk"); got != "system_u:object_r:container_file_t:s0:c5,c6\nwritten\n" {
		t.Errorf("what was written: %s", got)
	}
}

// Under AppArmor the profile that libvirt makes for a virtual machine has its shares, and lets not even root read or
// write more. libvirt's own program makes it of our description. Disks of the host are not kept from root by it, but by
// libvirt, which gives QEMU a /dev and a filter of devices of its own.
func TestAppArmorMachineAttempts(t *testing.T) {
	rig.On(t, rig.AppArmor)
	rig.Needs(t, rig.AppArmorOn)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const dir = "/srv/t-machine"
	t.Cleanup(func() { os.RemoveAll(dir) })
	const etc = hostetc.Base + "/t-machine"
	t.Cleanup(func() { os.RemoveAll(etc) })
	shell(t, "mkdir -p "+etc+" && echo root >"+etc+"/passwd && mkdir -p "+dir+"/shared && install -m 755 "+self+" "+
		dir+"/attempt && echo x >"+dir+"/disk")
	const uuid = "12345678-1234-1234-1234-1234567890ab"
	xml, err := domain.QEMU(&domain.Machine{
		Name: "t-machine", UUID: uuid, Emulated: true, Kernel: "/var/cache/libvirt-sandbox/kernel",
		Initrd: "/run/libvirt-sandbox/t-machine/initrd", Memory: 512 << 20, SecurityModel: "apparmor",
		Shares: []domain.Share{{Tag: "host0", Dir: "/usr", ReadOnly: true}, {Tag: "host1", Dir: etc, ReadOnly: true},
			{Tag: "mount0", Dir: dir + "/shared"}},
		Disks:  []domain.Disk{{Serial: "disk0", File: dir + "/disk", Format: "raw"}},
		Socket: "/run/libvirt-sandbox/t-machine/console", Log: "/run/libvirt-sandbox/t-machine/log",
	})
	if err != nil {
		t.Fatal(err)
	}
	const profile = "libvirt-" + uuid
	helper := func(what string) {
		command := exec.Command("/usr/lib/libvirt/virt-aa-helper", what, "-u", profile)
		command.Stdin = strings.NewReader(xml)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("virt-aa-helper %s: %v: %s", what, err, out)
		}
	}
	helper("-c")
	t.Cleanup(func() { helper("-D") })
	if t.Failed() {
		t.FailNow()
	}
	for _, c := range []struct{ command, want string }{
		{"cat /usr/lib/os-release >/dev/null && echo read", "read\n"},
		{"cat " + etc + "/passwd", "root\n"},
		{"cat /var/lib/dpkg/status >/dev/null && echo read", ""},
		{"ls /", ""},
		{"echo written >" + dir + "/shared/file && echo written", "written\n"},
		{"echo written >" + dir + "/disk && echo written", "written\n"},
		{"cat /etc/shadow", ""},
		{"cat /etc/ssh/ssh_host_*_key", ""},
		{"ls /etc/libvirt-sandbox/services/", ""},
		{"echo written >/usr/written && echo written", ""},
		{"echo written >/etc/written && echo written", ""},
		{"echo written >" + dir + "/beside && echo written", ""},
		{"echo written >/proc/sys/kernel/core_pattern && echo written", ""},
		{"cat /proc/1/environ", ""},
	} {
		out, _ := exec.Command("aa-exec", "-p", profile, "--", "/bin/dash", "-c", c.command).Output()
		if string(out) != c.want {
			t.Errorf("%s: %q, want %q", c.command, out, c.want)
		}
	}
}

// A command in a virtual machine says and returns what it does outside where SELinux or AppArmor enforces, and the
// machine is confined: by a label of its own, or a profile. Its disk has the level as long as it runs.
func TestConfinedMachine(t *testing.T) {
	rig.On(t, rig.MachineVM)
	rig.Needs(t, rig.QEMU)
	leavesNothing(t)
	const dir = "/srv/t-machine"
	shared, image := dir+"/shared", dir+"/disk.img"
	t.Cleanup(func() { os.RemoveAll(dir) })
	shell(t, "mkdir -p "+shared+" && echo disk >"+image+" && truncate -s 1M "+image)
	_, err := os.Stat("/sys/fs/selinux/enforce")
	labelled := err == nil
	was := ""
	if labelled {
		shell(t, "chcon -t container_file_t "+shared)
		was = shell(t, "stat -c %C "+image)
	}
	// The emulated processor offers an emulated KVM, which is slower than none.
	_ = os.Remove("/dev/kvm")
	begun := time.Now()
	command := onceMachine(t, "-n", "t-confined", "-v", "--read-write", shared, "--disk", "d="+image, "--", "sh", "-c",
		"head -c 4 /dev/disk/by-tag/d; echo; cat "+"/usr/lib/os-release | head -n 1; echo written >"+shared+"/file; "+
			"cat /etc/shadow 2>&1 | head -c 4; echo x 2>/dev/null >/usr/x; read line; echo got $line; exit 7")
	command.Stderr = os.Stderr
	in, _ := command.StdinPipe()
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	var said []string
	for range 2 {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		said = append(said, line)
	}
	t.Logf("after %v it says %q", time.Since(begun), said)
	if len(said) != 2 || said[0] != "disk\n" || !strings.HasPrefix(said[1], "PRETTY_NAME=") {
		t.Errorf("it says %q", said)
	}
	checkConfined(t, image, labelled)
	_, _ = io.WriteString(in, "it\n")
	rest, _ := io.ReadAll(lines)
	_ = command.Wait()
	t.Logf("after %v it is done", time.Since(begun))
	if status := command.ProcessState.ExitCode(); status != 7 || !strings.HasSuffix(string(rest), "got it\n") ||
		strings.Contains(string(rest), "root") {
		t.Errorf("status %d; it says %q", status, rest)
	}
	if data, err := os.ReadFile(shared + "/file"); string(data) != "written\n" {
		t.Errorf("what was written has %q, %v", data, err)
	}
	if _, err := os.Lstat("/usr/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the host's /usr was written to: %v", err)
	}
	if labelled {
		if now := shell(t, "stat -c %C "+image); now != was {
			t.Errorf("the disk had the label %s and has %s", was, now)
		}
	}
}

// checkConfined looks at the one QEMU that runs.
func checkConfined(t *testing.T, image string, labelled bool) {
	t.Helper()
	pids := strings.Fields(shell(t, "pidof qemu-system-x86_64"))
	if len(pids) != 1 {
		t.Fatalf("%d QEMUs run", len(pids))
	}
	data, err := os.ReadFile("/proc/" + pids[0] + "/attr/current")
	if err != nil {
		t.Fatal(err)
	}
	current := strings.TrimRight(string(data), "\x00\n")
	if !labelled {
		if !regexp.MustCompile(`^libvirt-[0-9a-f-]{36} \(enforce\)$`).MatchString(current) {
			t.Errorf("QEMU has the profile %q", current)
		}
		return
	}
	match := regexp.MustCompile(`^system_u:system_r:virt_sandbox_vm_t:(s0:c\d+,c\d+)$`).FindStringSubmatch(current)
	if match == nil {
		t.Fatalf("QEMU has the label %q", current)
	}
	for file, want := range map[string]string{
		image: "svirt_image_t:" + match[1], "/run/libvirt-sandbox/t-confined": "virt_content_t:" + match[1],
	} {
		if got := strings.TrimSpace(shell(t, "stat -c %C "+file)); got != "system_u:object_r:"+want {
			t.Errorf("%s has the label %s", file, got)
		}
	}
	kernels, _ := filepath.Glob("/var/cache/libvirt-sandbox/kernel-*")
	if !slices.ContainsFunc(kernels, func(file string) bool {
		return strings.Contains(shell(t, "stat -c %C "+file), ":virt_content_t:s0\n")
	}) {
		t.Errorf("the kernels %q are not labelled", kernels)
	}
}
