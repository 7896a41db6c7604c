// SPDX-License-Identifier: Apache-2.0

// Package attack is a campaign of root inside against the host: each attempt is a small program that a container's root
// executes, or a thing that it lays for a verb on the host, and says for each wall what must come of it. On a rig it
// makes the attempts; anywhere it compares what is known of them with the table of docs/security.md.
package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// insideProgram is the name of this binary in a container.
const insideProgram = "t-attack-inside"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == insideProgram {
		if err := insideMain(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", insideProgram, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The table needs no rig.
	if os.Getenv(rig.Variable) != "" {
		rig.MustBeReady("attack", program)
		if err := rig.Sweep(program, "t-"); err != nil {
			fmt.Fprintf(os.Stderr, "attack tests: %v\n", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
