// SPDX-License-Identifier: Apache-2.0

package places

import (
	"os"
	"slices"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

// TestEtc: a run says what it sees of the host's /etc until it has ended, and whether that is old.
func TestEtc(t *testing.T) {
	root := Root(hosttest.Root(t, map[string]string{"/etc/issue": "1"}))
	if used, err := root.EtcInUse(); err != nil || used != nil {
		t.Errorf("where nothing runs: %q, %v", used, err)
	}
	stays, once := root.Of("web").Run(), root.Of("once").OneShot()
	for _, dir := range []RunDir{stays, once} {
		if err := dir.Make("init"); err != nil {
			t.Fatal(err)
		}
		if name, err := dir.Etc(); name != "" || err != nil || dir.EtcIsOld() {
			t.Errorf("before: %q, %v", name, err)
		}
		if err := dir.NoteEtc("generation of " + dir.Name()); err != nil {
			t.Fatal(err)
		}
		if !dir.EtcIsOld() {
			t.Error("another generation is not old")
		}
	}
	used, err := root.EtcInUse()
	if err != nil || !slices.Contains(used, "generation of web") || !slices.Contains(used, "generation of once") {
		t.Errorf("in use: %q, %v", used, err)
	}
	if err := once.Remove(); err != nil {
		t.Fatal(err)
	}
	if used, err := root.EtcInUse(); err != nil || slices.Contains(used, "generation of once") {
		t.Errorf("in use after the end: %q, %v", used, err)
	}
	if err := os.WriteFile(root.RunBase()+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := root.EtcInUse(); err != nil {
		t.Errorf("with a file beside the directories: %v", err)
	}
}
