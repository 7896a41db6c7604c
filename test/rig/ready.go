// SPDX-License-Identifier: Apache-2.0

// Package rig has what tests need to know of where they run: which rig this is (On), what it has (Needs), and whether
// the programs and libvirt are there at all (Ready). with-libvirt and the test hosts are such places.
package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// MustBeReady ends a program of tests where they cannot run: on a rig as a failure, elsewhere as if they were skipped.
func MustBeReady(tests, program string) {
	err := Ready(program)
	if err == nil {
		err = waitForOthers(tests)
	}
	switch {
	case err == nil:
	case os.Getenv(Variable) != "":
		fmt.Fprintf(os.Stderr, "%s tests: %v\n", tests, err)
		os.Exit(1)
	default:
		fmt.Printf("%s tests are skipped: %v; make test runs them\n", tests, err)
		os.Exit(0)
	}
}

// waitForOthers waits until no other tests use this machine's sandboxes, which have the same names. The lock ends with
// the process.
func waitForOthers(tests string) error {
	if err := os.MkdirAll("/run/lock", 0o755); err != nil {
		return err
	}
	lock, err := unix.Open("/run/lock/virt-sandbox-tests", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("open the tests' lock: %w", err)
	}
	err = unix.Flock(lock, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		fmt.Fprintf(os.Stderr, "%s tests: waiting for others that run on this machine\n", tests)
		err = unix.Flock(lock, unix.LOCK_EX)
	}
	return err
}

// Ready reports whether this is root on a machine whose lxc:/// answers, and has PATH find the program and those that
// belong to it: in a source tree, two directories below which tests run, those just built; on a test host the installed
// ones.
func Ready(program string) error {
	if os.Geteuid() != 0 {
		return errors.New("they need root")
	}
	if _, err := exec.LookPath("virsh"); err != nil {
		return err
	}
	if out, err := exec.Command("virsh", "-q", "-c", "lxc:///", "version").CombinedOutput(); err != nil {
		return fmt.Errorf("libvirt does not answer: %s", out)
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(bin, program)); err == nil {
		return os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	}
	_, err = exec.LookPath(program)
	return err
}
