// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sources returns the text of all programs, without their tests.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(top, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "bin" || entry.Name() == "test"):
			return filepath.SkipDir
		case !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		data, err := os.ReadFile(file)
		all.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

var (
	code = regexp.MustCompile("`([^`]+)`")
	// seam is in strings that stand on several lines of a program.
	seam = regexp.MustCompile(`"\s*\+\s*"`)
)

// The messages that docs/troubleshooting.md explains are those of the programs, which change.
func TestMessagesAreSaid(t *testing.T) {
	said := seam.ReplaceAllString(sources(t), "")
	found, ours := 0, false
	for line := range strings.Lines(text(t, top+"/docs/troubleshooting.md")) {
		cells := strings.Split(line, "|")
		switch {
		case len(cells) < 3:
			ours = false
			continue
		case strings.TrimSpace(cells[1]) == "it says":
			ours = true
			continue
		case !ours:
			continue
		}
		for _, m := range code.FindAllStringSubmatch(cells[1], -1) {
			found++
			for part := range strings.SplitSeq(m[1], "…") {
				if part = strings.TrimSpace(part); !strings.Contains(said, strings.TrimSuffix(part, ":")) {
					t.Errorf("no program says %q, of %s", part, m[0])
				}
			}
		}
	}
	if found < 12 {
		t.Errorf("only %d messages found", found)
	}
}
