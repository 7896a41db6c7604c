// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// levels returns the level of each sandbox.
func levels(t *testing.T) map[string]string {
	t.Helper()
	var list []struct{ Name, Level string }
	if err := json.Unmarshal([]byte(must(t, "list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, s := range list {
		found[s.Name] = s.Level
	}
	return found
}

// Many creates at once get a pair of categories each. Package helper's test has more, in one process.
func TestParallelLevels(t *testing.T) {
	rig.On(t, rig.Native)
	const creates = 80
	before := snapshot(t)
	all := func(verb string, args ...string) {
		var wait sync.WaitGroup
		for i := range creates {
			wait.Go(func() {
				command := exec.Command(program, append([]string{verb, fmt.Sprintf("t-many%d", i)}, args...)...)
				if out, err := command.CombinedOutput(); err != nil {
					t.Errorf("%v: %v\n%s", command.Args, err, out)
				}
			})
		}
		wait.Wait()
	}
	all("create", "--", "/bin/true")
	owners := make(map[string]string)
	for name, level := range levels(t) {
		if strings.HasPrefix(name, "t-many") && strings.Count(level, ",") != 1 {
			t.Errorf("%s has the level %s", name, level)
		}
		if other := owners[level]; other != "" {
			t.Errorf("%s and %s have the same level %s", name, other, level)
		}
		owners[level] = name
	}
	all("delete")
	sameAs(t, before, "after all were deleted")
}

// A level is its sandbox's until that is deleted, shared only when that is asked for, and never one of libvirt's
// domains.
func TestLevelsAreKeptApart(t *testing.T) {
	rig.On(t, rig.Native)
	const level = "s0:c901,c902"
	t.Cleanup(func() { remove(t, "t-first"); remove(t, "t-second") })
	must(t, "create", "-l", level, "t-first", "--", "/bin/true")
	second := []string{"create", "-l", level, "t-second", "--", "/bin/true"}
	refused(t, run(t, second...), "-l "+level+" is not kept apart from "+level+", which sandbox t-first has")
	label := "static,label=system_u:system_r:virt_sandbox_t:s0:c902"
	refused(t, run(t, "create", "-s", label, "t-second", "--", "/bin/true"), "-s "+label+" is not kept apart from "+level)
	must(t, "create", "--share-level", "-l", level, "t-second", "--", "/bin/true")
	must(t, "delete", "t-second")
	must(t, "delete", "t-first")
	must(t, second...)
	if got := levels(t)["t-second"]; got != level {
		t.Errorf("the level after delete and create is %s", got)
	}
}

// Of creates with one level at the same time one wins.
func TestEqualLevelsAtOnce(t *testing.T) {
	rig.On(t, rig.Native)
	won := make(chan bool, 10)
	for i := range cap(won) {
		name := fmt.Sprintf("t-equal%d", i)
		t.Cleanup(func() { remove(t, name) })
		go func() {
			won <- exec.Command(program, "create", "-l", "s0:c901,c902", name, "--", "/bin/true").Run() == nil
		}()
	}
	winners := 0
	for range cap(won) {
		if <-won {
			winners++
		}
	}
	if winners != 1 {
		t.Errorf("%d creates got the same level", winners)
	}
}

// A host without SELinux is told of once, when the level is given; the state keeps it. One that was put in place by
// hand and shares a level is warned about at its first start.
func TestLevelNotices(t *testing.T) {
	rig.On(t, rig.Native)
	t.Cleanup(func() { remove(t, "t-notice") })
	o := run(t, "create", "-l", "s0:c901,c902", "t-notice", "--", "/bin/sleep", "60")
	notices := strings.Count(o.stderr, "SELinux is off on this host: level s0:c901,c902 is kept in the state of t-notice")
	if o.status != 0 || notices != 1 && !selinuxRuns() || strings.Count(o.stderr, "\n") != notices {
		t.Errorf("create: %+v", o)
	}
	if o := run(t, "start", "t-notice"); o.status != 0 || strings.Contains(o.stderr, "SELinux") {
		t.Errorf("start: %+v", o)
	}
	file := configDir + "/t-by-hand.sandbox"
	text := "[sandbox]\nformat=1\nname=t-by-hand\n[command]\nargument=/bin/sleep\nargument=60\n[security]\nlevel=s0:c902\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(t, "t-by-hand") })
	const warning = "level s0:c902 is not kept apart from s0:c901,c902, which sandbox t-notice has"
	if o := run(t, "start", "t-by-hand"); o.status != 0 || strings.Count(o.stderr, warning) != 1 {
		t.Errorf("first start: %+v", o)
	}
	must(t, "stop", "t-by-hand")
	if o := run(t, "start", "t-by-hand"); o.status != 0 || strings.Contains(o.stderr, warning) {
		t.Errorf("second start: %+v", o)
	}
}
