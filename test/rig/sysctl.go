// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"os"
	"strings"
	"testing"
)

// SetSysctl sets the kernel up as an installation does, until the test's end. The test is two directories below the
// root of the tree.
func SetSysctl(t *testing.T) {
	t.Helper()
	data, err := os.ReadFile("../../packaging/sysctl.conf")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " = ")
		if !found {
			continue
		}
		file := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.WriteFile(file, before, 0); err != nil {
				t.Error(err)
			}
		})
	}
}
