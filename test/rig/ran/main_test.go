// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	native = `=== RUN   TestRan
--- PASS: TestRan (0.10s)
=== RUN   TestLabels
    selinux_test.go:20: it runs on: vm
--- SKIP: TestLabels (0.00s)
=== RUN   TestCost
    cost_test.go:7: it runs on: bench, stress
--- SKIP: TestCost (0.00s)
=== RUN   TestParts
=== RUN   TestParts/one
=== PAUSE TestParts/one
=== RUN   TestParts/two
    parts_test.go:9: this machine does not have nbd
=== CONT  TestParts/one
--- PASS: TestParts (0.10s)
    --- PASS: TestParts/one (0.10s)
    --- SKIP: TestParts/two (0.00s)
PASS
`
	vm = `=== RUN   TestRan
    ran_test.go:5: it runs on: native
--- SKIP: TestRan (0.00s)
=== RUN   TestLabels
--- PASS: TestLabels (2.00s)
rig: exit status 0
`
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name    string
		outputs []string
		want    []string // each in the error
	}{
		{"all", []string{native, vm, "--- PASS: TestParts/two (1s)\n"}, nil},
		{"a part that ran nowhere", []string{native, vm}, []string{"TestParts/two ran nowhere: this machine does " +
			"not have nbd"}},
		{"a rig that did not run", []string{native, "--- PASS: TestParts/two (1s)\n"},
			[]string{"TestLabels ran nowhere: it runs on: vm"}},
		{"no output", nil, []string{"has no outputs"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, text := range c.outputs {
				if err := os.WriteFile(filepath.Join(dir, string(rune('a'+i))), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := check(dir, []string{"bench", "stress"})
			if (err != nil) != (len(c.want) > 0) {
				t.Fatalf("%v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 0 {
					t.Errorf("%v, want %q", err, want)
				}
			}
		})
	}
}
