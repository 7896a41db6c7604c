package integration

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	program    = "virt-sandbox-service"
	configDir  = "/etc/libvirt-sandbox/services"
	contentDir = "/var/lib/libvirt/filesystems"
	imageDir   = "/var/lib/libvirt/images"
)

// outcome is what a finished command leaves.
type outcome struct {
	stdout, stderr string
	status         int
}

// run runs the service tool.
func run(t *testing.T, args ...string) outcome {
	t.Helper()
	return runCommand(t, exec.Command(program, args...))
}

func runCommand(t *testing.T, command *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", command.Args, err)
	}
	return outcome{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// must runs the service tool and ends the test unless it succeeds.
func must(t *testing.T, args ...string) string {
	t.Helper()
	o := run(t, args...)
	if o.status != 0 {
		t.Fatalf("%s %s: exit status %d\n%s%s", program, strings.Join(args, " "), o.status, o.stdout, o.stderr)
	}
	return o.stdout
}

// inside runs a shell command in a container and returns what it prints.
func inside(t *testing.T, name, script string) string {
	t.Helper()
	return must(t, "execute", name, "--", "sh", "-c", script)
}

// create makes a sandbox that the test's end removes.
func create(t *testing.T, name string, args ...string) {
	t.Helper()
	t.Cleanup(func() { remove(t, name) })
	must(t, append([]string{"create"}, append(args, name)...)...)
}

// remove brings a sandbox to its end from whatever state it is in.
func remove(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(configDir, name+".sandbox")); err == nil {
		must(t, "stop", name)
	}
	if o := run(t, "delete", name); o.status != 0 && !strings.Contains(o.stderr, "no such sandbox") {
		t.Errorf("delete %s: %s", name, o.stderr)
	}
}

// wait repeats a question until the answer is yes.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// snapshot lists all that a container can leave on a host: files, mounts, block devices, domains, cgroups and processes.
func snapshot(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, dir := range []string{"/etc/libvirt-sandbox", contentDir, imageDir, "/var/log/journal", "/run/log/journal", "/run/virt-sandbox", "/run/libvirt/lxc", "/var/log/libvirt/lxc", "/etc/systemd/system", "/sys/fs/cgroup"} {
		_ = filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
			if err == nil && p != dir && p != configDir && (dir != "/sys/fs/cgroup" || (e.IsDir() && ofContainer(p))) {
				list = append(list, "file "+p)
			}
			return nil
		})
	}
	if stray, err := filepath.Glob("/tmp/virt-sandbox*"); err == nil {
		list = append(list, stray...)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(mounts)) {
		list = append(list, "mount "+strings.TrimSpace(l))
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	nbds, _ := filepath.Glob("/sys/block/nbd*/pid")
	for _, attribute := range append(loops, nbds...) {
		list = append(list, "device "+attribute)
	}
	domains, err := exec.Command("virsh", "-q", "-c", "lxc:///", "list", "--all", "--name").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(domains)) {
		list = append(list, "domain "+name)
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		list = append(list, "interface "+link.Name)
	}
	list = append(list, processes()...)
	slices.Sort(list)
	return list
}

// ofContainer tells of cgroups that libvirt, we, or a systemd inside would make; others come and go with the host's work.
// The slices of templates and of machines are systemd's, which keeps them.
func ofContainer(cgroup string) bool {
	if name := filepath.Base(cgroup); name == "machine.slice" || (strings.HasPrefix(name, "system-") && strings.HasSuffix(name, ".slice")) {
		return false
	}
	for _, mark := range []string{"/virt-sandbox-", "/lxc-", "libvirt", ".scope", ".slice"} {
		if strings.Contains(cgroup, mark) {
			return true
		}
	}
	return false
}

// processes lists those of ours and of libvirt's containers that are alive.
func processes() []string {
	var list []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		command := strings.ReplaceAll(strings.TrimRight(string(data), "\x00"), "\x00", " ")
		name := filepath.Base(strings.Fields(command + " -")[0])
		if strings.HasPrefix(name, "virt-sandbox") || name == "libvirt_lxc" {
			list = append(list, fmt.Sprintf("process %s %s", filepath.Base(filepath.Dir(file)), command))
		}
	}
	return list
}

// sameAs fails the test when the host is not as it was. What ends by itself, like a process that has been told to, gets
// a moment.
func sameAs(t *testing.T, before []string, after string) {
	t.Helper()
	var differences []string
	for range 40 {
		now := snapshot(t)
		differences = nil
		for _, line := range now {
			if _, found := slices.BinarySearch(before, line); !found {
				differences = append(differences, "left behind: "+line)
			}
		}
		for _, line := range before {
			if _, found := slices.BinarySearch(now, line); !found {
				differences = append(differences, "gone: "+line)
			}
		}
		if len(differences) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%s:\n%s", after, strings.Join(differences, "\n"))
}
