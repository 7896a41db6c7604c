// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// mixed returns a directory with the programs of one build but for the named ones, which are of another.
func mixed(t *testing.T, build, other string, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, from := range []string{build, other} {
		files, err := filepath.Glob(from + "/virt-sandbox*")
		if err != nil || len(files) < 7 {
			t.Fatalf("%s has the programs %q: %v", from, files, err)
		}
		if from == other {
			files = nil
			for _, name := range names {
				files = append(files, from+"/"+name)
			}
		}
		shell(t, "cp -f "+strings.Join(files, " ")+" "+dir)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestProgramsOfTwoVersions: a package is replaced while something starts, so that a caller and an init of two builds
// meet. They refuse each other, with what to do, and nothing is left.
func TestProgramsOfTwoVersions(t *testing.T) {
	rig.On(t, rig.Before)
	const now, before, init = "../../bin", "../../bin/before", "virt-sandbox-init"
	for _, c := range []struct {
		name, build, other string
		want               *regexp.Regexp
	}{
		// The caller of before can miss that init has ended, and waits.
		{"an init of now", before, now, regexp.MustCompile(
			"it has format 1, and this program knows 2|was not ready within")},
		{"an init of before", now, before, regexp.MustCompile("it has format 2, and this program knows 1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := mixed(t, c.build, c.other, init)
			was := snapshot(t)
			o := runCommand(t, exec.Command(dir+"/virt-sandbox", "--", "echo", "it ran"))
			if o.status == 0 || o.stdout != "" || !c.want.MatchString(o.stderr) {
				t.Errorf("a command: %+v", o)
			}
			sameAs(t, was, "after a command")
		})
	}
	t.Run("a container", func(t *testing.T) {
		dir := mixed(t, before, now, init)
		t.Cleanup(func() { remove(t, "t-mixed") })
		runBefore(t, "create", "t-mixed", "--", "sleep", "infinity")
		runBefore(t, "start", "t-mixed")
		runBefore(t, "stop", "t-mixed")
		was := snapshot(t)
		o := runCommand(t, exec.Command(dir+"/virt-sandbox-service", "start", "t-mixed"))
		// The caller of before can miss what init says last.
		if o.status == 0 || !strings.Contains(o.stderr, "it has format 1, and this program knows 2") &&
			!strings.Contains(o.stderr, "t-mixed ended while it started") {
			t.Errorf("start: %+v", o)
		}
		sameAs(t, was, "after a start")
		must(t, "start", "t-mixed")
	})
}
