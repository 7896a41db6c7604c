// SPDX-License-Identifier: Apache-2.0

package places

import "testing"

// TestNoteStale: a reason is new once, and gone when there is none; a container that is down has none.
func TestNoteStale(t *testing.T) {
	run := Root(t.TempDir()).Of("web").Run()
	if NoteStale(run, "a") || IsStale(run) {
		t.Error("one that is down is stale")
	}
	if err := run.Make("init"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		reason       string
		isNew, stale bool
	}{
		{"", false, false}, {"a", true, true}, {"a", false, true}, {"b", true, true}, {"", false, false}, {"b", true, true},
	} {
		if isNew := NoteStale(run, c.reason); isNew != c.isNew || IsStale(run) != c.stale {
			t.Errorf("%q: new %t, stale %t", c.reason, isNew, IsStale(run))
		}
	}
	if IsHeld(run, "b") {
		t.Error("it is held, and nobody has done so")
	}
	if Hold(run, "b"); !IsHeld(run, "b") || IsHeld(run, "c") {
		t.Error("it is held for another reason")
	}
}
