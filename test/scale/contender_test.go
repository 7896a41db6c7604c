// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"
)

// contender runs the containers whose content exists.
type contender interface {
	title() string
	start(t *testing.T, names []string)
	stop(t *testing.T, names []string)
	// processes lists all that runs for the containers, libvirt's daemon excepted.
	processes(names []string) []int
}

// each has as many workers as the tests use do f for each name.
func each(t *testing.T, names []string, f func(name string) error) {
	t.Helper()
	queue := make(chan string, len(names))
	for _, name := range names {
		queue <- name
	}
	close(queue)
	var workers sync.WaitGroup
	for range *jobs {
		workers.Go(func() {
			for name := range queue {
				if err := f(name); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	workers.Wait()
}

// ours is this project, driven as an administrator does.
type ours struct{ meter *meter }

func (ours) title() string { return "virt-sandbox" }

func (o ours) verb(t *testing.T, args ...string) {
	t.Helper()
	run(t, within(o.meter.started, append([]string{program}, args...)...)...)
}

func (o ours) start(t *testing.T, names []string) {
	t.Helper()
	o.verb(t, append([]string{"start", fmt.Sprintf("--jobs=%d", *jobs)}, these(names)...)...)
}

func (o ours) stop(t *testing.T, names []string) {
	t.Helper()
	o.verb(t, append([]string{"stop", fmt.Sprintf("--jobs=%d", *jobs)}, these(names)...)...)
}

func (ours) processes(names []string) []int {
	return append(append(flat(processesOf("/virt-sandbox-", names)), processNamed("libvirt_lxc")...),
		processNamed("virt-sandbox-se")...)
}

func flat(of map[string][]int) []int {
	var list []int
	for _, pids := range of {
		list = append(list, pids...)
	}
	return list
}

// bare is libvirt alone, with the very XML of our containers and the same first program inside: what it costs that
// virsh makes a domain of it and somebody waits for READY=1.
type bare struct {
	meter *meter
	dir   string // of the XML and what containers see as /run/host
}

func (bare) title() string { return "bare libvirt" }

// prepare takes the XML of containers that we run.
func (b bare) prepare(t *testing.T, names []string) {
	t.Helper()
	terminal := regexp.MustCompile(` tty='[^']*'|<source path='/dev/pts/\d+'/>`)
	each(t, names, func(name string) error {
		xml, err := exec.Command("virsh", "-q", "-c", "lxc:///", "dumpxml", name).Output()
		if err != nil {
			return err
		}
		text := terminal.ReplaceAllString(string(xml), "")
		text = strings.ReplaceAll(text, filepath.Join("/run/virt-sandbox", name, "guest"), b.guest(name))
		if err := os.MkdirAll(b.guest(name), 0o755); err != nil {
			return err
		}
		files, err := filepath.Glob(filepath.Join("/run/virt-sandbox", name, "guest", "*"))
		if err != nil {
			return err
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
				continue
			}
			data, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(filepath.Join(b.guest(name), filepath.Base(file)), data, 0o755)
			}
			if err != nil {
				return err
			}
		}
		return os.WriteFile(b.xml(name), []byte(text), 0o600)
	})
}

func (b bare) xml(name string) string   { return filepath.Join(b.dir, name+".xml") }
func (b bare) guest(name string) string { return filepath.Join(b.dir, name+".guest") }

func (b bare) start(t *testing.T, names []string) {
	t.Helper()
	each(t, names, func(name string) error {
		ready, err := listenReady(filepath.Join(b.guest(name), "notify"))
		if err != nil {
			return err
		}
		command := within(b.meter.started, "virsh", "-q", "-c", "lxc:///", "create", b.xml(name))
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return ready()
	})
}

func (b bare) stop(t *testing.T, names []string) {
	t.Helper()
	processes := processesOf("/virt-sandbox-", names)
	each(t, names, func(name string) error {
		pids := processes[name]
		if len(pids) == 0 {
			return fmt.Errorf("it does not run")
		}
		if err := powerOff(pids[0]); err != nil {
			return err
		}
		for range 1000 {
			out, err := exec.Command("pgrep", "-f", "libvirt_lxc --name "+name+" ").Output()
			if err != nil || len(out) == 0 {
				return nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		return fmt.Errorf("its controller does not end")
	})
}

func (bare) processes(names []string) []int {
	return append(flat(processesOf("/virt-sandbox-", names)), processNamed("libvirt_lxc")...)
}

// powerOff asks a systemd for an orderly end and waits for it.
func powerOff(pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// SIGRTMIN+4 (systemd(1)).
	if err := unix.PidfdSendSignal(fd, unix.Signal(38), nil, 0); err != nil {
		return err
	}
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", pid)
}

// listenReady makes a socket of sd_notify(3) and gives what waits for READY=1 on it.
func listenReady(file string) (wait func() error, err error) {
	_ = os.Remove(file)
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: file, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	return func() error {
		buffer := make([]byte, 4096)
		if err := socket.SetReadDeadline(time.Now().Add(2 * time.Minute)); err != nil {
			return err
		}
		for {
			n, err := socket.Read(buffer)
			if err != nil {
				return fmt.Errorf("it does not become ready: %w", err)
			}
			if strings.Contains("\n"+string(buffer[:n]), "\nREADY=1") {
				// What it says later has somebody who reads it too, as long as the tests run.
				go func() {
					defer socket.Close()
					_ = socket.SetReadDeadline(time.Time{})
					for {
						if _, err := socket.Read(buffer); err != nil {
							return
						}
					}
				}()
				return nil
			}
		}
	}, nil
}

// nspawn is systemd-nspawn on the host's own tree with the same binds and in a network of its own.
type nspawn struct {
	meter *meter
	dir   string
	binds map[string][]string // by name: options
}

func (nspawn) title() string { return "systemd-nspawn" }

// prepare takes the binds from our XML.
func (n *nspawn) prepare(t *testing.T, b bare, names []string) {
	t.Helper()
	if err := os.MkdirAll(n.root(), 0o755); err != nil {
		t.Fatal(err)
	}
	n.binds = make(map[string][]string)
	for _, name := range names {
		text, err := os.ReadFile(b.xml(name))
		if err != nil {
			t.Fatal(err)
		}
		var d libvirtxml.Domain
		if err := d.Unmarshal(string(text)); err != nil {
			t.Fatal(err)
		}
		for _, f := range d.Devices.Filesystems {
			target := f.Target.Dir
			if f.Source.Mount == nil || target == "/" || strings.HasPrefix(target, "/run/host") {
				continue
			}
			option := "--bind="
			if f.ReadOnly != nil {
				option = "--bind-ro="
			}
			escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
			n.binds[name] = append(n.binds[name], option+escape.Replace(f.Source.Mount.Dir)+":"+escape.Replace(target)+
				":norbind")
		}
	}
}

// root is where nspawn, which takes no /, finds the host's tree: in a mount namespace of its own, and read-only, so
// that whoever cleans up cannot meet it.
func (n *nspawn) root() string { return filepath.Join(n.dir, "root") }

func (n *nspawn) group(dir, name string) string { return filepath.Join(dir, "sc-nspawn", name) }

func (n *nspawn) start(t *testing.T, names []string) {
	t.Helper()
	each(t, names, func(name string) error {
		socket := filepath.Join(n.dir, name+".notify")
		ready, err := listenReady(socket)
		if err != nil {
			return err
		}
		// Without systemd's registration they would share the groups of whoever starts them.
		var groups []string
		for _, dir := range hierarchies() {
			if dir == cpuacct {
				continue
			}
			group := n.group(dir, name)
			if err := os.MkdirAll(group, 0o755); err != nil {
				return err
			}
			groups = append(groups, group)
		}
		inGroup := filepath.Join(n.meter.started, name)
		if err := os.MkdirAll(inGroup, 0o755); err != nil {
			return err
		}
		groups = append(groups, inGroup)
		script := `for group in ` + strings.Join(groups, " ") + `; do echo $$ >$group/cgroup.procs || exit; done
			mount --bind / "$0" && mount -o remount,bind,ro "$0" && exec "$@"`
		args := []string{"--mount", "--propagation=private", "sh", "-c", script, n.root(), "systemd-nspawn", "--quiet",
			"--register=no", "--keep-unit", "--boot", "--read-only",
			"--directory=" + n.root(), "--machine=" + name, "--private-network", "--notify-ready=yes",
			"--console=read-only", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--tmpfs=/tmp",
			"--tmpfs=/dev/shm"}
		args = append(append(args, n.binds[name]...), "--", "--unit=multi-user.target", "--show-status=no")
		log, err := os.Create(filepath.Join(n.dir, name+".log"))
		if err != nil {
			return err
		}
		defer log.Close()
		command := exec.Command("unshare", args...)
		command.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
		command.Stdout, command.Stderr = log, log
		if err := command.Start(); err != nil {
			return err
		}
		go func() { _ = command.Wait() }()
		if err := ready(); err != nil {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%w: %s", err, said)
		}
		return nil
	})
}

func (n *nspawn) stop(t *testing.T, names []string) {
	t.Helper()
	processes := processesOf("/sc-nspawn/", names)
	each(t, names, func(name string) error {
		pids := processes[name]
		if len(pids) < 2 {
			return fmt.Errorf("it does not run")
		}
		supervisor, err := strconv.Atoi(status(pids[0], "PPid"))
		if err != nil {
			return err
		}
		if err := powerOff(pids[0]); err != nil {
			return err
		}
		for range 500 {
			if unix.Kill(supervisor, 0) != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		for _, dir := range hierarchies() {
			if dir != cpuacct {
				if err := removeGroups(n.group(dir, name)); err != nil {
					return err
				}
				_ = os.Remove(filepath.Join(dir, "sc-nspawn"))
			}
		}
		return removeGroups(filepath.Join(n.meter.started, name))
	})
}

// removeGroups removes a group with those below.
func removeGroups(dir string) error {
	var dirs []string
	_ = filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			dirs = append(dirs, p)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := removeGroup(dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (n *nspawn) processes(names []string) []int { return flat(processesOf("/sc-nspawn/", names)) }

// hierarchies lists where the controllers of cgroup version 1, and version 2 beside them, are mounted; cpuset, whose
// groups take no process before they have been given CPUs, is left out.
func hierarchies() []string {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	var list []string
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && (f[2] == "cgroup" || f[2] == "cgroup2") &&
			!strings.HasSuffix(f[1], "/cpuset") {
			list = append(list, f[1])
		}
	}
	return list
}
