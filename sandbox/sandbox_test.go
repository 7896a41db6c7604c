// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// What is wrong is said before anything is made.
func TestStartRefuses(t *testing.T) {
	img := imageFile(t, "c.img")
	cases := []struct {
		name string
		o    Options
		want string
	}{
		{"no command", Options{}, "no command"},
		{"empty command", Options{Command: []string{""}}, "no command"},
		{"URI", Options{URI: "xen:///", Command: []string{"x"}}, `"xen:///" is not supported; sandboxes run at lxc:///`},
		{"remote", Options{URI: "lxc://host/", Command: []string{"x"}}, "not supported"},
		{"both users", Options{Command: []string{"x"}, User: "nobody", Privileged: true}, "exclude each other"},
		{"name", Options{Command: []string{"x"}, Name: "a/b"}, "must match"},
		{"variable", Options{Command: []string{"x"}, Environment: []config.Variable{{Name: "A=B"}}}, "is not NAME=VALUE"},
		{"variable with NUL", Options{Command: []string{"x"}, Environment: []config.Variable{{Name: "A", Value: "\x00"}}},
			"is not NAME=VALUE"},
		{"timeout", Options{Command: []string{"x"}, Timeout: -1}, "timeout"},
		{"disk", Options{Command: []string{"x"}, Disks: []string{"a=/no/such/file"}}, "Disks"},
		{"format", Options{Command: []string{"x"}, Disks: []string{"a=" + imageFile(t, "a.vmdk")}}, "at lxc:/// there are " +
			"the formats raw and qcow2 only"},
		{"a tag twice", Options{Command: []string{"x"}, Disks: []string{"a=" + imageFile(t, "a"), "a=" + imageFile(t, "b")}},
			`two disks have the tag "a"`},
		{"an image twice", Options{Command: []string{"x"}, Disks: []string{"a=" + img, "b=" + img}}, "is named twice"},
		{
			"an image as disk and mount",
			Options{
				Command: []string{"x"},
				Disks:   []string{"a=" + img},
				Mounts:  []config.Mount{{Kind: config.MountHostImage, Target: "/srv", Source: img, Format: "raw"}},
			},
			"is named twice",
		},
		{
			"a mount twice",
			Options{
				Command: []string{"x"},
				Mounts: []config.Mount{
					{Kind: config.MountRAM, Target: "/srv", Size: 1},
					{Kind: config.MountRAM, Target: "/srv", Size: 1},
				},
			},
			"two mounts have the target",
		},
		{"kernel", Options{Command: []string{"x"}, Kernel: Kernel{Version: "6"}}, "Kernel.Version"},
		{"network", Options{Command: []string{"x"}, Network: "dhcp"}, "Interfaces \"dhcp\" is not private"},
		{
			"host and interface",
			Options{Command: []string{"x"}, Network: config.NetworkHost, Interfaces: []config.Interface{{DHCP: true}}},
			"exclude each other",
		},
		{"interface", Options{Command: []string{"x"}, Interfaces: []config.Interface{{Source: "a", Bridge: "b"}}},
			"Interfaces source=a,bridge=b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := Start(context.Background(), c.o)
			if os.Geteuid() != 0 && err != nil && strings.Contains(err.Error(), "root is needed") {
				t.Skip("the rest is looked at for root only")
			}
			if s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %q", s, err, c.want)
			}
		})
	}
}

// A copy is put into the innermost mount, in place of whatever a sandbox left there, and never anywhere else.
func TestInclude(t *testing.T) {
	top := t.TempDir()
	outer, inner, source := filepath.Join(top, "outer"), filepath.Join(top, "inner"), filepath.Join(top, "source")
	for _, dir := range []string{outer, inner} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(source, []byte("text"), 0o640); err != nil {
		t.Fatal(err)
	}
	mounts := []config.Mount{
		{Kind: config.MountHostBind, Target: "/srv", Source: outer},
		{Kind: config.MountHostBind, Target: "/srv/in", Source: inner},
		{Kind: config.MountRAM, Target: "/ram", Size: 1},
	}
	for target, file := range map[string]string{"/srv/a/b": outer + "/a/b", "/srv/in/c": inner + "/c",
		"/srv/inside": outer + "/inside"} {
		for range 2 {
			if err := include(Include{target, source}, mounts); err != nil {
				t.Fatal(err)
			}
		}
		if data, err := os.ReadFile(file); string(data) != "text" {
			t.Errorf("%s: %q, %v", target, data, err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", target, info, err)
		}
	}
	victim := filepath.Join(top, "victim")
	if err := os.WriteFile(victim, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string]func(string) error{
		"link": func(p string) error { return os.Symlink(victim, p) },
		"pipe": func(p string) error { return unix.Mkfifo(p, 0o600) },
	} {
		if err := place(filepath.Join(outer, name)); err != nil {
			t.Fatal(err)
		}
		if err := include(Include{"/srv/" + name, source}, mounts); err != nil {
			t.Errorf("over a %s: %v", name, err)
		}
	}
	if err := os.Symlink(top, filepath.Join(outer, "up")); err != nil {
		t.Fatal(err)
	}
	if err := include(Include{"/srv/up/victim", source}, mounts); err == nil {
		t.Error("a link led out of the mount")
	}
	if data, _ := os.ReadFile(victim); string(data) != "kept" {
		t.Errorf("a file outside has %q", data)
	}
	for _, bad := range []Include{{"/other/x", source}, {"/ram/x", source}, {"/srv", source}, {"/srv/../x", source},
		{"/srv/x", top}, {"/srv/x", "/dev/null"}, {"/srv/x", top + "/none"}} {
		if err := include(bad, mounts); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

// A stream is moved to its end between files of all kinds, and others.
func TestMove(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<17)
	dir := t.TempDir()
	source := filepath.Join(dir, "source")
	if err := os.WriteFile(source, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string]int{"file": os.O_WRONLY | os.O_CREATE, "appended to": os.O_WRONLY | os.O_CREATE |
		os.O_APPEND} {
		t.Run(name, func(t *testing.T) {
			from, err := os.Open(source)
			if err != nil {
				t.Fatal(err)
			}
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				_ = move(write, from)
				write.Close()
			}()
			target := filepath.Join(dir, name)
			to, err := os.OpenFile(target, flags, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			if err := move(to, read); err != nil {
				t.Error(err)
			}
			if got, err := os.ReadFile(target); !bytes.Equal(got, data) {
				t.Errorf("%d bytes came, %v", len(got), err)
			}
		})
	}
	var buffer bytes.Buffer
	if err := move(&buffer, bytes.NewReader(data)); err != nil || !bytes.Equal(buffer.Bytes(), data) {
		t.Errorf("%d bytes came, %v", buffer.Len(), err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	from, err := os.Open(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := move(write, from); err == nil {
		t.Error("nobody read it, and that is no error")
	}
}
