// SPDX-License-Identifier: Apache-2.0

// Package integration runs the built programs against the machine's real libvirt, systemd and packages. It needs root
// and an lxc:/// that answers: make test provides both. Tests whose names begin with TestSystemd need a host that
// systemd runs and the programs installed there, as test/host/run and test/vm/run provide.
package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == filepath.Base(attemptProgram) {
		os.Exit(attemptMain(os.Args[1:]))
	}
	rig.MustBeReady("integration", program)
	if err := rig.Sweep(program, "t-"); err != nil {
		fmt.Fprintf(os.Stderr, "integration tests: %v\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
