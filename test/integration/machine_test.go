// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// machineKernel gives the options for Debian's kernel, which need not be the one that runs here.
func machineKernel(t *testing.T) []string {
	t.Helper()
	dir := "../../kernel" // Where the rig brings one along.
	if _, err := os.Stat(dir); err != nil {
		out, err := exec.Command("../rig/kernel").Output()
		if err != nil {
			t.Fatalf("no kernel: %v", err)
		}
		dir = strings.TrimSpace(string(out))
	}
	images, err := filepath.Glob(dir + "/boot/vmlinuz-*")
	if err != nil || len(images) != 1 {
		t.Fatalf("kernels in %s: %q, %v", dir, images, err)
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	return []string{"--kernver", release, "--kernpath", images[0], "--kmodpath", dir + "/lib/modules"}
}

// onceMachine makes the command line of virt-sandbox that runs a command in a virtual machine.
func onceMachine(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(oneshot, slices.Concat([]string{"-c", "qemu:///system"}, machineKernel(t), args)...)
}

// machinesLeft lists what a virtual machine leaves when it is not cleaned up.
func machinesLeft(t *testing.T) []string {
	t.Helper()
	var list []string
	domains, err := exec.Command("virsh", "-q", "-c", "qemu:///system", "list", "--all", "--name").Output()
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, strings.Fields(string(domains))...)
	for _, pattern := range []string{"/run/libvirt-sandbox/*", "/var/log/libvirt/qemu/*.log",
		"/var/lib/libvirt/qemu/domain-*"} {
		files, _ := filepath.Glob(pattern)
		list = append(list, files...)
	}
	return list
}

func leavesNothing(t *testing.T) {
	t.Helper()
	before := machinesLeft(t)
	t.Cleanup(func() {
		if after := machinesLeft(t); !slices.Equal(after, before) {
			t.Errorf("left %q; before it was %q", after, before)
		}
	})
}

// A command in a virtual machine says and returns what it does outside, and meets what the machine is.
func TestMachineCommands(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	_ = machineKernel(t)
	leavesNothing(t)
	shared, root := t.TempDir(), busyboxRoot(t)
	if err := os.WriteFile(shared+"/there", []byte("there\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	all := append(everySandbox(t), []sandboxedCommand{
		{name: "no container", command: []string{"sh", "-c", "echo ${container-none}; cat /proc/1/comm; stat -f " +
			"-c %T /run; " +
			"echo x >/dev/fd/1"}, stdout: "none\ninit\ntmpfs\nx\n"},
		{name: "-S and the plan", options: []string{"-S", "nobody"},
			command: []string{"sh", "-c", "cat /run/host/sandbox.json; ls /run/host"},
			stdout:  "modprobe\nmodules\nmodules.list\nsandbox.json\nvirt-sandbox-init\n", stderr: "Permission denied"},
		{name: "remounted", command: []string{"sh", "-c", "mount -o remount,rw /; touch /x /etc/x; cat /etc/shadow"},
			stderr: "Read-only file system", status: 1},
		{name: "nothing else of the host", brief: true, command: []string{"sh", "-c",
			"find /boot /home /mnt /opt /root /srv /usr/local /var/cache /var/lib /var/log -mindepth 1; " +
				"ls -d /etc/libvirt-sandbox /etc/ssh/ssh_host_*_key /media/*; head -n 1 /etc/passwd; readlink /bin; " +
				"cat /etc/shadow"},
			stdout: strings.SplitAfter(shell(t, "cat /etc/passwd"), "\n")[0] + "usr/bin\n", stderr: "/etc/shadow: No such file",
			status: 1},
		{name: "a place that is not there", brief: true, options: []string{"-r", root, "-m",
			"host-bind:/not/there/yet=" + shared}, command: []string{"sh", "-c",
			"cat /etc/release /not/there/yet/there; ls /; touch /srv/x"},
			stdout: "another system\nthere\nbin\ndev\netc\nnot\nproc\nrun\nsrv\nsys\ntmp\n", stderr: "Read-only", status: 1},
		{name: "--memory", options: []string{"--memory", "1G", "--cpus", "1.5"},
			command: []string{"awk", "/MemTotal/ { print ($2 > 900000 && $2 <= 1048576) }", "/proc/meminfo"}, stdout: "1\n"},
	}...)
	// As many at once as there are processors; of different owners, for what they share is then that of both.
	t.Run("all", func(t *testing.T) {
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				if !c.brief {
					// Beside the others that are run, for its time.
					rig.On(t, rig.Machine)
				}
				t.Parallel()
				c.check(t, func(args ...string) *exec.Cmd { return onceMachine(t, args...) })
			})
		}
	})
	for _, file := range []string{"/x", "/etc/x", root + "/srv/x", root + "/not"} {
		if _, err := os.Lstat(file); err == nil {
			t.Errorf("%s was made on the host", file)
		}
	}
}

// 100 MB pass through standard input to both outputs at once.
func TestMachineStreams(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	sameThrough(t, onceMachine(t, "--", "sh", "-c", "tee /dev/stderr"), 100<<20)
}

// A command has a terminal in a machine too.
func TestMachineTerminal(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	_ = machineKernel(t)
	leavesNothing(t)
	terminalOf(t, onceMachine(t, "sh"))
}

// What a machine cannot be made of is refused in one line that names it.
func TestMachineRefusals(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	kernel := machineKernel(t)
	leavesNothing(t)
	empty := t.TempDir()
	// Containers use images so.
	used := empty + "/used.img"
	device := strings.TrimSpace(shell(t, "truncate -s 1M "+used+" && losetup --find --show "+used))
	t.Cleanup(func() { shell(t, "losetup -d "+device) })
	cases := []struct {
		args []string
		want string
	}{
		{append(slices.Clone(kernel), "--disk", "x="+used, "true"), used + " is in use by " + device},
		{append(slices.Clone(kernel), "-m", "host-image:/srv="+used, "true"), used + " is in use by " + device},
		{[]string{"--kernver", "1.2.3", "true"}, "/boot/vmlinuz-1.2.3: no such file or directory; install linux-image-1.2.3"},
		{[]string{kernel[0], kernel[1], kernel[2], kernel[3], "--kmodpath", empty, "true"},
			"modules.dep: no such file or directory; install the modules"},
		{append(slices.Clone(kernel), "--disk", "x", "true"), "is not TAG=PATH"},
		{append(slices.Clone(kernel), "--disk", "../x=/etc/passwd", "true"), "the tag must be the name of a file"},
		{append(slices.Clone(kernel), "--disk", "x=/no/such/image", "true"), "no such file"},
		{append(slices.Clone(kernel), "-m", "host-bind:/srv=/etc/passwd", "true"), "can have directories of the host"},
		{append(slices.Clone(kernel), "-N", "host", "true"), "-N host: a virtual machine has a kernel of its own"},
		{append(slices.Clone(kernel), "-N", "dhcp,source=no-such", "true"),
			"-N dhcp,source=no-such: libvirt has no network no-such"},
	}
	for _, c := range cases {
		o := runCommand(t, exec.Command(oneshot, append([]string{"-c", "qemu:///system"}, c.args...)...))
		if o.status != 125 || !strings.Contains(o.stderr, c.want) || strings.Count(o.stderr, "\n") != 1 {
			t.Errorf("%q: %+v; want %q", c.args, o, c.want)
		}
	}
}

// One that is killed takes its machine with it, and the next one what it left.
func TestMachineKilled(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	_ = machineKernel(t)
	leavesNothing(t)
	for _, wait := range []string{"", "begun\n"} {
		command := onceMachine(t, "-n", "t-killed", "--", "sh", "-c", "echo begun; exec sleep 1000")
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, len(wait))); err != nil {
			t.Fatal(err)
		}
		if wait == "" {
			time.Sleep(500 * time.Millisecond)
		}
		_ = command.Process.Kill()
		_ = command.Wait()
		deadline := time.Now().Add(20 * time.Second)
		for exec.Command("virsh", "-q", "-c", "qemu:///system", "domid", "t-killed").Run() == nil {
			if time.Now().After(deadline) {
				t.Fatal("the machine goes on")
			}
			time.Sleep(50 * time.Millisecond)
		}
		if o := runCommand(t, onceMachine(t, "-n", "t-killed", "true")); o.status != 0 {
			t.Errorf("the next one: %+v", o)
		}
	}
}

// A guest whose first program fails says so, and ends.
func TestMachineBreaksDown(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	leavesNothing(t)
	o := runCommand(t, onceMachine(t, "--", "sh", "-c", "echo begun; sleep 0.5; echo c >/proc/sysrq-trigger; sleep 1000"))
	if o.status != 125 || o.stdout != "begun\n" || !strings.Contains(o.stderr, "ended before its command did") {
		t.Errorf("%+v", o)
	}
}

// Whoever is not root has virtual machines too, with what is theirs.
func TestMachineSession(t *testing.T) {
	rig.On(t, rig.Native, rig.Machine)
	rig.Needs(t, rig.QEMU)
	kernel := machineKernel(t)
	home := world(t)
	for _, name := range []string{"virt-sandbox", "virt-sandbox-init"} {
		if out, err := exec.Command("cp", "../../bin/"+name, home+"/"+name).CombinedOutput(); err != nil {
			t.Skipf("only in a source tree: %s", out)
		}
	}
	// libvirt's daemon of the user goes by itself, a while after the last sandbox.
	if err := os.Mkdir(home+"/run", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(home+"/run", 65534, 65534); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat([]string{"-c", "qemu:///session"}, kernel,
		[]string{"-N", "dhcp", "--read-write", home, "--", "sh", "-c",
			"id -un; echo written >" + home + "/file; ip -o -4 addr show dev eth0 | grep -o 'inet 10.0.2.[0-9]*'; " +
				"busybox wget -qO- " +
				strings.Replace(serve(t, "127.0.0.1"), "127.0.0.1", "10.0.2.2", 1) + "; cat /etc/shadow"})
	asNobody := func(args []string) *exec.Cmd {
		command := exec.Command(home+"/virt-sandbox", args...)
		command.Env = []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home + "/run", "PATH=" + os.Getenv("PATH")}
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return command
	}
	if o := runCommand(t, asNobody([]string{"-c", "qemu:///session", "-N", "bridge=br0", "true"})); o.status != 125 ||
		!strings.Contains(o.stderr, "-N bridge=br0: source=, bridge= and filter= need qemu:///system") {
		t.Errorf("%+v", o)
	}
	if o := runCommand(t, asNobody(args)); o.stdout != "nobody\ninet 10.0.2.15\nreached" || o.status != 1 ||
		!strings.Contains(o.stderr, "Permission denied") {
		t.Errorf("%+v", o)
	}
	if data, err := os.ReadFile(home + "/file"); string(data) != "written\n" {
		t.Errorf("what was written has %q, %v", data, err)
	}
	if left, _ := filepath.Glob(home + "/run/libvirt-sandbox/*"); len(left) > 0 {
		t.Errorf("left %q", left)
	}
}
