// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// stateFiles makes state files in a temporary root, by their names below it.
func stateFiles(t *testing.T, files map[string]string) StateFiles {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return NewStateFiles(root)
}

// running starts a process to stand for a controller.
func running(t *testing.T) int {
	t.Helper()
	process := exec.Command("sleep", "60")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	return process.Process.Pid
}

const controllerLine = "/usr/libexec/libvirt_lxc\x00--name\x00web\x00--console\x0021\x00"

func TestController(t *testing.T) {
	pid := strconv.Itoa(running(t))
	for _, c := range []struct {
		name, file, arguments string
		found, fails          bool
	}{
		{name: "no file"},
		{name: "its controller", file: pid + "\n", arguments: controllerLine, found: true},
		{name: "a number that is another's", file: pid, arguments: "/bin/sh\x00--name\x00web\x00"},
		{name: "the controller of another", file: pid, arguments: strings.Replace(controllerLine, "web", "web2", 1)},
		{name: "a process that may not be looked at", file: pid, fails: true},
		{name: "a number that nobody has", file: "4194305", arguments: controllerLine},
		{name: "no number", file: "one", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := make(map[string]string)
			if c.file != "" {
				files["run/libvirt/lxc/web.pid"] = c.file
			}
			if c.arguments != "" {
				files["proc/"+pid+"/cmdline"] = c.arguments
			}
			controller, err := stateFiles(t, files).Controller("web")
			if controller != nil {
				defer controller.Close()
			}
			if (controller != nil) != c.found || (err != nil) != c.fails {
				t.Errorf("got %v, %v", controller, err)
			}
			if c.found && strconv.Itoa(controller.PID()) != pid {
				t.Errorf("got process %d", controller.PID())
			}
		})
	}
}

func TestFirstProcess(t *testing.T) {
	const (
		noted  = `<domstatus><init pid="31"/><domain/></domstatus>`
		first  = "PPid:\t30\nNSpid:\t31\t1\n"
		second = "PPid:\t31\nNSpid:\t32\t2\n"
	)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int
	}{
		{"noted", map[string]string{"run/libvirt/lxc/web.xml": noted, "proc/31/status": first}, 31},
		{"not noted yet", map[string]string{"run/libvirt/lxc/web.xml": `<domstatus><domain/></domstatus>`,
			"proc/31/status": first}, 31},
		{"without a state", map[string]string{"proc/31/status": first}, 31},
		{"a note of an earlier run", map[string]string{
			"run/libvirt/lxc/web.xml": strings.Replace(noted, "31", "32", 1), "proc/31/status": first, "proc/32/status": second,
		}, 31},
		{"no container", map[string]string{"run/libvirt/lxc/web.xml": noted, "proc/31/status": second}, 0},
	} {
		c.files["proc/30/cmdline"] = controllerLine
		got, err := stateFiles(t, c.files).FirstProcess(30)
		if got != c.want || errors.Is(err, proc.ErrNoFirst) != (c.want == 0) {
			t.Errorf("%s: got %d, %v", c.name, got, err)
		}
	}
}

// A name in a command line is no path: the state of nothing else is read.
func TestNotedFirstOfBadName(t *testing.T) {
	f := stateFiles(t, map[string]string{
		"run/libvirt/x.xml": `<domstatus><init pid="31"/></domstatus>`,
		"proc/30/cmdline":   strings.Replace(controllerLine, "web", "../x", 1),
	})
	if pid := f.notedFirst(30); pid != 0 {
		t.Errorf("got %d", pid)
	}
}

func TestRemove(t *testing.T) {
	f := stateFiles(t, map[string]string{
		"run/libvirt/lxc/web.xml": "x", "run/libvirt/lxc/web.pid": "1", "run/libvirt/lxc/web.sock": "",
		"var/log/libvirt/lxc/web.log": "x",
		"run/libvirt/lxc/web2.xml":    "x", "run/libvirt/lxc/web.dev/used": "x",
	})
	at := f.root.Of("web")
	for _, dir := range []string{".devpts", ".fuse"} {
		if err := os.Mkdir(at.LibvirtState(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // What is not there is no error.
		if err := errors.Join(f.RemoveState("web"), f.RemoveMountPoints("web"), f.RemoveLog("web")); err != nil {
			t.Error(err)
		}
	}
	for _, gone := range []string{at.LibvirtState(".xml"), at.LibvirtState(".pid"), at.LibvirtState(".sock"),
		at.LibvirtState(".devpts"),
		at.LibvirtState(".fuse"), at.LibvirtLog()} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", gone, err)
		}
	}
	for _, kept := range []string{f.root.Of("web2").LibvirtState(".xml"), at.LibvirtState(".dev/used")} {
		if _, err := os.Lstat(kept); err != nil {
			t.Error(err)
		}
	}
}

func TestControlledDomain(t *testing.T) {
	for line, want := range map[string]string{
		"/usr/lib/libvirt/libvirt_lxc --name web --console 21": "web",
		"libvirt_lxc --console 21 --name web":                  "web",
		"libvirt_lxc --name":                                   "",
		"libvirt_lxc":                                          "",
		"/bin/sh --name web":                                   "",
		"--name libvirt_lxc":                                   "",
	} {
		if got := controlledDomain(strings.Fields(line)); got != want {
			t.Errorf("%s: got %q", line, got)
		}
	}
}

func FuzzParseInit(f *testing.F) {
	f.Add([]byte(`<domstatus state="running"><init pid="31"/><domain/></domstatus>`))
	f.Add([]byte(`<domstatus><domain><init pid="31"/></domain></domstatus>`))
	f.Add([]byte(`<init pid="-1"/>`))
	f.Add([]byte(`<init`))
	f.Fuzz(func(t *testing.T, state []byte) {
		if pid := parseInit(bytes.NewReader(state)); pid < 0 {
			t.Errorf("got %d", pid)
		}
	})
}
