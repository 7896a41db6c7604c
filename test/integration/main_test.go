// Package integration runs the built programs against the machine's real libvirt, systemd and packages. It needs root and
// an lxc:/// that answers: make test provides both. Tests whose names begin with TestSystemd need a host that systemd runs
// and the programs installed there, as test/host/run and test/vm/run provide.
package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == filepath.Base(attemptProgram) {
		os.Exit(attemptMain(os.Args[1:]))
	}
	if err := ready(); err != nil {
		fmt.Fprintf(os.Stderr, "integration tests: %v; run them with make test\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func ready() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("they need root")
	}
	if out, err := exec.Command("virsh", "-q", "-c", "lxc:///", "version").CombinedOutput(); err != nil {
		return fmt.Errorf("libvirt does not answer: %s", out)
	}
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		return err
	}
	// In a source tree the programs just built; on a test host the installed ones.
	if _, err := os.Stat(filepath.Join(bin, program)); err == nil {
		return os.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	}
	_, err = exec.LookPath(program)
	return err
}
