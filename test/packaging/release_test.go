// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A release is refused, with all that is wrong, where the checkout is not what it is made of; nothing is built then.
func TestReleaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	for _, name := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+name+"_NAME", "nobody")
		t.Setenv("GIT_"+name+"_EMAIL", "nobody@example.com")
	}
	script, err := os.ReadFile(repository + "/packaging/release")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, want ...string) {
		t.Helper()
		out, err := exec.Command(dir+"/packaging/release", dir+"/out", "check").CombinedOutput()
		if (err != nil) != (len(want) > 0) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
		for _, line := range want {
			if !strings.Contains(string(out), "release: "+line) {
				t.Errorf("%s: there is no %q in\n%s", what, line, out)
			}
		}
		if n := strings.Count(string(out), "release: "); n != len(want) {
			t.Errorf("%s: %d complaints, not %d\n%s", what, n, len(want), out)
		}
		if _, err := os.Lstat(dir + "/out"); err == nil {
			t.Errorf("%s: something was made", what)
		}
	}
	put("packaging/release", string(script))
	check("no checkout", "this is no checkout of git")
	run(t, dir, "git", "init", "-q")
	put("VERSION", "1.2\n")
	put("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## 1.1.0, 2026-01-02\n")
	check("everything wrong", `VERSION is "1.2", and not like 1.2.3`, "there are files that are not committed",
		`CHANGELOG.md begins with "## Unreleased"; make it "## 1.2, `)
	commit := func() {
		t.Helper()
		run(t, dir, "git", "add", ".")
		run(t, dir, "git", "commit", "-q", "-m", "x")
	}
	put("VERSION", "1.2.3\n")
	for _, heading := range []string{
		"1.1.0, 2026-01-02", "1.2.3", "1.2.3, 2026-02-30", "1.2.3, tomorrow", "1.2.30, 2026-02-02",
	} {
		put("CHANGELOG.md", "# Changelog\n\n## "+heading+"\n")
		commit()
		check(heading, `CHANGELOG.md begins with "## `+heading+`"`)
	}
	put("CHANGELOG.md", "# Changelog\n\n## 1.2.3, 2026-02-28\n\n## 1.1.0, 2026-01-02\n")
	commit()
	check("a release")
	put("README.md", "not committed")
	check("one file too many", "there are files that are not committed")
	commit()
	run(t, dir, "git", "tag", "v1.2.3")
	check("one that is there", "the tag v1.2.3 exists")
}
