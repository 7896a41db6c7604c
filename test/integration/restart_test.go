// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// A restart is another run of a container, of one that is down a start, and what cannot be started stays up.
func TestRestart(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	create(t, "t-restart", "-u", "apache2")
	must(t, "start", "t-restart")
	// When its first process was started, in hundredths of a second: two runs can begin within one second.
	boot := func() string { return inside(t, "t-restart", "cut -d ' ' -f 22 /proc/1/stat") }
	first := boot()
	must(t, "restart", "t-restart")
	second := boot()
	if first == second {
		t.Errorf("the same run goes on: %s", second)
	}
	file := configDir + "/t-restart.sandbox"
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(good, "nonsense\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, run(t, "restart", "t-restart"), "t-restart.sandbox:")
	if err := os.WriteFile(file, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if again := boot(); again != second {
		t.Error("a restart that cannot be has stopped the container")
	}
	must(t, "stop", "t-restart")
	must(t, "restart", "t-restart")
	statusOf(t, "t-restart", 0)
	refused(t, run(t, "restart", "t-none"), "no such sandbox")
}
