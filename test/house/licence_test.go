// SPDX-License-Identifier: Apache-2.0

package house

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// licence is the line by which each file says under which one it is (https://spdx.dev/ids/).
const licence = "SPDX-License-Identifier: Apache-2.0"

// Go files and policies say first under which licence they are, and scripts right after their first line.
func TestFilesSayTheirLicence(t *testing.T) {
	out, err := exec.Command("git", "-C", "../..", "ls-files").Output()
	if err != nil {
		t.Skipf("these are no sources that git has: %v", err)
	}
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			continue // It is being removed.
		}
		first, rest, _ := strings.Cut(string(text), "\n")
		second, _, _ := strings.Cut(rest, "\n")
		want, got := "", first
		switch {
		case strings.HasSuffix(name, ".go"):
			want = "// " + licence
		case strings.HasSuffix(name, ".cil"):
			want = "; " + licence
		case strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "sh") && !strings.Contains(name, "testdata/"):
			want, got = "# "+licence, second
		default:
			continue
		}
		if got != want {
			t.Errorf("%s does not begin with %q", name, want)
		}
	}
}
