// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Place is where tests run, or a step there: what Variable says.
type Place string

// Variable names the environment variable that says on which rig tests run. Without it a test runs wherever its needs
// are met, unless it costs much.
const Variable = "VIRT_SANDBOX_RIG"

// The places of make test, in its order.
const (
	Policy       Place = "policy"        // the policy of the virtual machine's image, without running it
	Native       Place = "native"        // this machine, with a libvirtd of its own
	Host         Place = "host"          // a host with systemd in a container
	VM           Place = "vm"            // an emulated machine with SELinux, cgroup version 2 and systemd-machined
	Denials      Place = "denials"       // there, after what could be denied
	Attempts     Place = "attempts"      // there, after the denials were counted: attempts that are denied
	Container    Place = "container"     // there, with a stand-in for container-selinux in the policy
	RPMLayout    Place = "rpm-layout"    // on the host, where RPM has taken dpkg's place and Fedora's layout Debian's
	BeforeReboot Place = "before-reboot" // on both, right before a reboot
	AfterReboot  Place = "after-reboot"  // and right after it
	Module       Place = "module"        // there at last, for it takes the policy's module away
	AppArmor     Place = "apparmor"      // that machine with AppArmor in place of SELinux
)

// The places of other targets.
const (
	Machine   Place = "machine"    // make test-machine
	MachineVM Place = "machine-vm" // make test-machine-vm, under SELinux and under AppArmor
	Bench     Place = "bench"      // make bench, make bench-scale: figures, and bounds of time
	BenchHost Place = "bench-host" // make bench-scale, on the host with systemd
	Stress    Place = "stress"     // make bench-stress
	Attack    Place = "attack"     // make attack, make attack-vm: all attempts of the campaign
	Census    Place = "census"     // make census: all daemons of its table
	Docs      Place = "docs"       // make test-docs: on the host, with packages that pages of docs use
	Before    Place = "before"     // make test-before: beside the programs of the version before
)

// costly are the places whose tests run only where Variable asks for them.
var costly = []Place{Policy, RPMLayout, Machine, MachineVM, Bench, BenchHost, Stress, Attack, Census, Before}

// On skips a test that does not run on this rig. Each test of the integration, scale and bench packages begins with it.
func On(t testing.TB, places ...Place) {
	t.Helper()
	here := Place(os.Getenv(Variable))
	if here == "" {
		if slices.ContainsFunc(places, func(p Place) bool { return !slices.Contains(costly, p) }) {
			return
		}
	} else if slices.Contains(places, here) {
		return
	}
	var names []string
	for _, p := range places {
		names = append(names, string(p))
	}
	// The command ran reads this line.
	t.Skip(skipText + strings.Join(names, ", "))
}

const skipText = "it runs on: "

// Need is what a machine must have, or be, for a test.
type Need struct {
	name string
	met  func() bool
}

// What tests need.
var (
	Root       = Need{"root", func() bool { return os.Geteuid() == 0 }}
	Systemd    = Need{"a systemd that runs the host", func() bool { return exists("/run/systemd/system") }}
	SELinux    = Need{"SELinux that enforces", func() bool { return says("/sys/fs/selinux/enforce", "1") }}
	SELinuxOn  = Need{"SELinux", func() bool { return exists("/sys/fs/selinux/enforce") }}
	NoSELinux  = Need{"no SELinux", func() bool { return !exists("/sys/fs/selinux/enforce") }}
	NoAppArmor = Need{"no AppArmor", func() bool { return !says("/sys/module/apparmor/parameters/enabled", "Y\n") }}
	AppArmorOn = Need{"AppArmor", func() bool { return says("/sys/module/apparmor/parameters/enabled", "Y\n") }}
	QEMU       = Need{"a qemu:///system that answers", func() bool {
		return succeeds("virsh", "-q", "-c",
			"qemu:///system", "version")
	}}
	LXCFS         = Need{"lxcfs", func() bool { return succeeds("lxcfs", "--version") }}
	Needrestart   = Need{"needrestart", func() bool { return exists("/usr/sbin/needrestart") }}
	PIDController = Need{"the pids controller of cgroups", hasPIDController}
)

// Needs skips a test on a machine that lacks one of these.
func Needs(t testing.TB, all ...Need) {
	t.Helper()
	for _, need := range all {
		if !need.met() {
			t.Skipf("this machine does not have %s", need.name)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func says(file, text string) bool {
	data, err := os.ReadFile(file)
	return err == nil && string(data) == text
}

func succeeds(command string, args ...string) bool {
	return exec.Command(command, args...).Run() == nil
}

func hasPIDController() bool {
	// That of cgroup version 1, and of version 2 where systemd has it count.
	return exists("/sys/fs/cgroup/pids") || exists("/sys/fs/cgroup/system.slice/pids.max")
}
