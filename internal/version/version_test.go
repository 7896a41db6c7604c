package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestStamped(t *testing.T) {
	t.Cleanup(func() { stamped = "" })
	stamped = "1.2.3"
	if got := Line("virt-sandbox"); got != "virt-sandbox version 1.2.3\n" {
		t.Errorf("%q", got)
	}
}

func TestUnstamped(t *testing.T) {
	if got := String(); got == "" {
		t.Error("no version at all")
	}
}

func TestIsAsked(t *testing.T) {
	for _, test := range []struct {
		args []string
		want bool
	}{
		{[]string{"init", "--version"}, true},
		{[]string{"init"}, false},
		{[]string{"init", "stopping"}, false},
		{[]string{"init", "--version", "x"}, false},
		{nil, false},
	} {
		if got := IsAsked(test.args); got != test.want {
			t.Errorf("%q: %v", test.args, got)
		}
	}
}

// Each program prints what the linker was given: all of those that link no libvirt, as the Makefile builds them.
func TestPrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	dir := t.TempDir()
	for _, program := range []string{
		"virt-sandbox-init", "virt-sandbox-service-generator", "virt-sandbox-service-monitor", "virt-sandbox-service-monitor-dhcp",
	} {
		file := filepath.Join(dir, program)
		build := exec.Command("go", "build", "-o", file,
			"-ldflags", "-X github.com/virt-sandbox/virt-sandbox/internal/version.stamped=1.2.3", "../../cmd/"+program)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		out, err := exec.Command(file, "--version").Output()
		if err != nil || string(out) != program+" version 1.2.3\n" {
			t.Errorf("%s: %q, %v", program, out, err)
		}
	}
}
