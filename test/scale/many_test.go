// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// All verbs take many sandboxes at once.
func TestMany(t *testing.T) {
	rig.On(t, rig.Native)
	clean(t)
	allowInotify(t)
	list := names("sc-many", *count)
	t.Cleanup(func() { remove(t, list) })
	before := journals()
	verb := func(past string, args ...string) {
		t.Helper()
		out := run(t, append([]string{program}, args...)...)
		for _, name := range list {
			if strings.Count(out, past+" "+name+"\n") != 1 {
				t.Errorf("%v says nothing or too much of %s:\n%s", args[0], name, out)
			}
		}
	}
	verb("Created", append([]string{"create", "-C", "-u", unit}, list...)...)
	checkLevels(t, list)
	writePages(t, list)
	verb("Started", append([]string{"start"}, these(list)...)...)
	if now := journals(); now != before+len(list) {
		t.Errorf("%d journals run, and ran %d before %d containers", now, before, len(list))
	}
	checkPages(t, list)
	begun := time.Now()
	if out := run(t, program, "needs-restart", "--all"); out != "" {
		t.Errorf("containers that were just started need a restart:\n%s", out)
	}
	t.Logf("needs-restart --all of %d: %v", len(list), time.Since(begun))
	for _, name := range list[:min(3, len(list))] {
		if out := run(t, program, "execute", name, "--", "systemctl", "--failed", "--no-legend", "--plain"); out != "" {
			t.Errorf("units failed in %s:\n%s", name, out)
		}
	}
	// One that fails is told of, and does not keep the others from it.
	out, err := exec.Command(program, "stop", list[0], "sc-absent").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Stopped "+list[0]) || !strings.Contains(string(out), "sc-absent") {
		t.Errorf("stop of one that is not there: %v\n%s", err, out)
	}
	verb("Stopped", append([]string{"stop"}, these(list)...)...)
	if now := journals(); now != before {
		t.Errorf("%d journals run after the stop, and ran %d before", now, before)
	}
	verb("Deleted", append([]string{"delete"}, list...)...)
}

// checkLevels has each container a level of its own.
func checkLevels(t *testing.T, names []string) {
	t.Helper()
	levels := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("/var/lib/virt-sandbox", name, "state"))
		if err != nil {
			t.Fatal(err)
		}
		_, level, _ := strings.Cut(string(text), "\nlevel=")
		level, _, _ = strings.Cut(level, "\n")
		if other := levels[level]; level == "" || other != "" {
			t.Errorf("%s has the level %q, and so has %q", name, level, other)
		}
		levels[level] = name
	}
}
