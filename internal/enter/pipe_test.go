// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"io"
	"os"
	"testing"
)

// TestOpenPipe: one with a label carries what is written as any other does, ends with its writer, and leaves no name.
func TestOpenPipe(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, label := range []string{"", "system_u:system_r:virt_sandbox_t:s0:c1,c2"} {
		read, write, err := openPipe(label)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = io.WriteString(write, "hello")
			write.Close()
		}()
		if got, err := io.ReadAll(read); err != nil || string(got) != "hello" {
			t.Errorf("%q: %q, %v", label, got, err)
		}
		read.Close()
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%q left %v, %v", label, entries, err)
		}
	}
	if _, _, err := openPipe("no context"); err == nil {
		t.Error("a label that is none was taken")
	}
}
