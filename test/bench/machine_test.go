// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/initrd"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// emulated is the machine of a sandbox as bare QEMU has it, but for its devices.
var emulated = []string{"-machine", "q35", "-accel", "tcg", "-cpu", "max,la57=off", "-m", "512", "-nodefaults",
	"-display", "none", "-no-reboot"}

// TestMachine: a command in an emulated virtual machine takes at most 1.25 times as long as the same kernel takes with
// a first program that switches it off, started by bare QEMU. For comparison, the same with what shortens the start of
// ours.
func TestMachine(t *testing.T) {
	rig.On(t, rig.Bench)
	rig.Needs(t, rig.QEMU)
	program := built(t)
	out, err := exec.Command("../rig/kernel").Output()
	if err != nil {
		t.Fatalf("no kernel: %v", err)
	}
	dir := strings.TrimSpace(string(out))
	images, _ := filepath.Glob(dir + "/boot/vmlinuz-*")
	if len(images) != 1 {
		t.Fatalf("kernels in %s: %q", dir, images)
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	floor := floorInitrd(t)
	unpacked := unpackedKernel(t, release, images[0], dir+"/lib/modules")
	bare := append(append([]string{}, emulated...), "-kernel", images[0], "-initrd", floor, "-append",
		"console=ttyS0 quiet panic=-1")
	fast := append(append([]string{}, emulated...), "-bios", "/usr/share/qemu/qboot.rom", "-kernel", unpacked, "-initrd",
		floor,
		"-append", "quiet panic=-1 cryptomgr.notests")
	ours := func() {
		run(t, exec.Command(program, "-c", "qemu:///system", "--kernver", release, "--kernpath", images[0], "--kmodpath",
			dir+"/lib/modules", "/bin/true"))
	}
	ours() // The initrd and the kernel are made, and KVM is tried, once.
	var a, b, c []time.Duration
	for range rounds {
		a = append(a, timed(ours))
		b = append(b, timed(func() { run(t, exec.Command("qemu-system-x86_64", bare...)) }))
		c = append(c, timed(func() { run(t, exec.Command("qemu-system-x86_64", fast...)) }))
	}
	x, y, z := median(a), median(b), median(c)
	fmt.Printf("virt-sandbox -c qemu:///system /bin/true: %v; bare QEMU with the same kernel and an init that switches "+
		"off: %v, %.2f times; "+
		"with the kernel unpacked and our arguments: %v, %.2f times (medians of %d)\n", x, y, float64(x)/float64(y), z,
		float64(x)/float64(z), rounds)
	if float64(x) > 1.25*float64(y) {
		t.Errorf("virt-sandbox takes %v, bare QEMU %v", x, y)
	}
}

// floorInitrd makes an initrd of one small static program.
func floorInitrd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	source := "#include <unistd.h>\n#include <sys/reboot.h>\nint main(void) { sync(); reboot(RB_POWER_OFF); for (;;) " +
		"pause(); }\n"
	if err := os.WriteFile(dir+"/init.c", []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command("gcc", "-O2", "-static", "-o", dir+"/init", dir+"/init.c"))
	run(t, exec.Command("sh", "-c", "cd "+dir+" && echo init | cpio --quiet -o -H newc >initrd"))
	return dir + "/initrd"
}

func unpackedKernel(t *testing.T, release, image, modules string) string {
	t.Helper()
	kernel, err := initrd.FindKernel(release, image, modules)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := initrd.OpenCache(t.TempDir() + "/cache")
	if err != nil {
		t.Fatal(err)
	}
	file, err := cache.Kernel(kernel, "")
	if err != nil {
		t.Fatal(err)
	}
	return file
}
