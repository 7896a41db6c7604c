// SPDX-License-Identifier: Apache-2.0

package programs

import (
	"os"
	"path/filepath"
	"testing"
)

// A program is found in the directory that the build was told of, too.
func TestFindWhereTheBuildSays(t *testing.T) {
	const name = "virt-sandbox-test"
	if got, err := Find(name); err == nil {
		t.Fatalf("found %s, which nobody made", got)
	}
	t.Cleanup(func() { libexec = "" })
	libexec = t.TempDir()
	want := filepath.Join(libexec, name)
	if err := os.WriteFile(want, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := Find(name); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}
