// Package rig tells tests whether they run where they can: with-libvirt and the test hosts are such places.
package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Ready tells whether this is root on a machine whose lxc:/// answers, and has PATH find the program and those that belong to
// it: in a source tree, two directories below which tests run, those just built; on a test host the installed ones.
func Ready(program string) error {
	if os.Geteuid() != 0 {
		return errors.New("they need root")
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
