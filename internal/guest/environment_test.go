// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"os"
	"testing"
)

func TestShowEnvironment(t *testing.T) {
	run := t.TempDir()
	dir := run + "/systemd/system.conf.d"
	if err := showEnvironment(run, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("without variables there is a file")
	}
	variables := []string{"T=1", "E=", "Q=a \"b\" 100% \\n $HOME", "L=one\n[Manager]\tä"}
	if err := showEnvironment(run, variables); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(dir + "/80-virt-sandbox.conf")
	want := `[Manager]
DefaultEnvironment="T=1"
DefaultEnvironment="E="
DefaultEnvironment="Q=a \x22b\x22 100%% \x5cn $HOME"
DefaultEnvironment="L=one\x0a[Manager]\x09ä"
`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// TestShowUnits: what a start adds to units lies where systemd looks, and no link leads out of there.
func TestShowUnits(t *testing.T) {
	run := t.TempDir()
	if err := showUnits(run, map[string]string{"d.service.d/a.conf": "[Service]\n"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(run + "/systemd/system/d.service.d/a.conf"); err != nil || string(got) != "[Service]\n" {
		t.Errorf("got %q, %v", got, err)
	}
	outside := t.TempDir()
	if err := os.Symlink(outside, run+"/systemd/system/e.service.d"); err != nil {
		t.Fatal(err)
	}
	if err := showUnits(run, map[string]string{"e.service.d/a.conf": ""}); err == nil {
		t.Error("a link was followed")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside there is %v, %v", entries, err)
	}
}
