// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The script of the feature page as it stands, but for the name of Apache's unit, and for systemctl where no systemd
// runs.
func TestPage(t *testing.T) {
	rig.On(t, rig.Native, rig.Bench)
	clean(t)
	allowInotify(t)
	script, err := os.ReadFile("testdata/containers")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(script), "httpd", unit)
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		for _, verb := range []string{"start", "stop"} {
			text = strings.ReplaceAll(text, "systemctl "+verb+" "+unit+"@$1.service", program+" "+verb+" $1")
		}
	}
	file := filepath.Join(t.TempDir(), "containers")
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	list := names("sc-page", *count)
	t.Cleanup(func() { remove(t, list) })
	containers := func(verb string) (said string) {
		t.Helper()
		out, err := exec.Command(file, verb, "sc-page", countText()).CombinedOutput()
		if err != nil {
			t.Fatalf("containers %s: %v\n%s", verb, err, out)
		}
		return string(out)
	}
	before := journals()
	containers("create")
	writePages(t, list)
	// The script goes on after one that fails.
	said := containers("start")
	if now := journals(); now != before+len(list) {
		t.Errorf("%d journals run, and ran %d before %d containers; start said:\n%s", now, before, len(list), said)
	}
	checkPages(t, list)
	containers("stop")
	if now := journals(); now != before {
		t.Errorf("%d journals run after the stop, and ran %d before", now, before)
	}
	containers("delete")
}
