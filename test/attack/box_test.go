// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	program    = "virt-sandbox-service"
	contentDir = "/var/lib/libvirt/filesystems"
)

// box is the container of a wall, and what of the host it is after.
type box struct {
	name    string
	wall    wall
	options []string // of create, for containers of its own kind
	facts   facts
}

// dir is where the host has its content.
func (b *box) dir() string { return filepath.Join(contentDir, b.name) }

// result is what a command leaves.
type result struct {
	text    string // both outputs
	status  int
	took    time.Duration
	peak    int64 // bytes of memory that it had at most
	timeout bool
}

// service runs the service tool, for a time.
func service(t *testing.T, limit time.Duration, args ...string) result {
	t.Helper()
	return runFor(t, limit, exec.Command(program, args...))
}

func runFor(t *testing.T, limit time.Duration, command *exec.Cmd) result {
	t.Helper()
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	begun := time.Now()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	late := false
	timer := time.AfterFunc(limit, func() { late = true; _ = command.Process.Kill() })
	_ = command.Wait()
	timer.Stop()
	r := result{text: out.String(), status: command.ProcessState.ExitCode(), took: time.Since(begun), timeout: late}
	if usage, ok := command.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = usage.Maxrss << 10
	}
	return r
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	r := service(t, 5*time.Minute, args...)
	if r.status != 0 {
		t.Fatalf("%s %s: status %d\n%s", program, strings.Join(args, " "), r.status, r.text)
	}
	return r.text
}

// inside runs a line of shell as root of the container.
func (b *box) inside(t *testing.T, script string) string {
	t.Helper()
	return must(t, "execute", b.name, "--", "sh", "-c", script)
}

// create makes a container with apache2, which the test's end removes.
func (b *box) create(t *testing.T, args ...string) {
	t.Helper()
	t.Cleanup(func() { b.remove(t) })
	must(t, append(append([]string{"create", "-C", "-u", "apache2"}, append(b.options, args...)...), b.name)...)
}

func (b *box) remove(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/etc/libvirt-sandbox/services/" + b.name + ".sandbox"); err != nil {
		return
	}
	for _, verb := range []string{"stop", "delete"} {
		if r := service(t, 3*time.Minute, verb, b.name); r.status != 0 {
			t.Errorf("%s %s: status %d, after %v\n%s", verb, b.name, r.status, r.took, r.text)
		}
	}
}

// install puts the program for attempts into the content.
func (b *box) install(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell(t, "cp "+self+" "+b.dir()+"/var/lib/"+insideProgram)
	b.facts.Planted = "/var/lib/t-attack-planted"
	if err := unix.Mknod(b.dir()+b.facts.Planted, unix.S_IFBLK|0o666, int(b.facts.Device)); err != nil {
		t.Fatal(err)
	}
}

// try makes attempts inside and returns their answers in order.
func (b *box) try(t *testing.T, list []attempt) []answer {
	t.Helper()
	text, err := json.Marshal(b.facts)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"execute", b.name, "--", "/var/lib/" + insideProgram, "all", string(text)}
	for _, a := range list {
		args = append(args, a.name)
	}
	out, err := exec.Command(program, args...).Output()
	if err != nil {
		t.Fatalf("attempts inside: %v", err)
	}
	answers := make([]answer, len(list))
	decoder := json.NewDecoder(bytes.NewReader(out))
	for i := range list {
		if err := decoder.Decode(&answers[i]); err != nil || answers[i].Name != list[i].name {
			t.Fatalf("answer of %s: %+v, %v", list[i].name, answers[i], err)
		}
	}
	return answers
}

// offer lays out on the host what root inside is after, until the test's end.
func (b *box) offer(t *testing.T) {
	t.Helper()
	b.facts.Marker = "86399.17"
	b.facts.Abstract = "@t-attack"
	b.facts.Device = firstDisk(t)
	listen(t, "unix", b.facts.Abstract)
	server := listen(t, "tcp", "127.0.0.1:0")
	b.facts.Port = server.Addr().(*net.TCPAddr).Port
	holder := exec.Command("sleep", b.facts.Marker)
	// It must not hold what this process has inherited, such as a lock of the rig, should that end by a panic.
	holder.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill(); _ = holder.Wait() })
	shm, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o666)
	if err != nil {
		t.Fatal(err)
	}
	b.facts.Shm = shm
	t.Cleanup(func() { _, _ = unix.SysvShmCtl(shm, unix.IPC_RMID, nil) })
	if key, err := unix.AddKey("user", "t-attack", []byte("secret"), unix.KEY_SPEC_USER_KEYRING); err == nil {
		b.facts.Key = key
		_ = unix.KeyctlSetperm(key, 0x3f3f3f3f)
		t.Cleanup(func() { _, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, key, unix.KEY_SPEC_USER_KEYRING, 0, 0) })
	}
	for _, dir := range []string{
		"/opt", "/usr/local", "/srv", "/var/lib", "/var/tmp", "/tmp", "/run", "/dev/shm", "/root", "/home", "", "/mnt",
		"/media", "/usr/local/etc", "/var/lib/libvirt", "/run/libvirt",
	} {
		if _, err := os.Stat(dir + "/"); err != nil {
			continue
		}
		file := dir + "/t-attack-secret"
		if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(file) })
		listen(t, "unix", file+".socket")
		b.facts.Secrets = append(b.facts.Secrets, file)
	}
}

// listen accepts connections until the test's end.
func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	if filepath.IsAbs(address) {
		os.Remove(address)
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// firstDisk is the number of a block device of the host: its root's, or any.
func firstDisk(t *testing.T) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat("/usr", &stat); err != nil {
		t.Fatal(err)
	}
	if unix.Major(stat.Dev) != 0 {
		return stat.Dev
	}
	return unix.Mkdev(7, 0)
}

func shell(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// refused is what is found on the host in place of what root inside wanted.
func refused(format string, args ...any) error { return fmt.Errorf(format, args...) }
