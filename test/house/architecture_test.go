// SPDX-License-Identifier: Apache-2.0

package house

import (
	"os"
	"strings"
	"testing"
)

// docs/architecture.md says of each room what its subject is, in the order of the floors.
func TestArchitectureNamesEachRoom(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rest := string(page)
	for _, l := range layers {
		for _, name := range l.rooms {
			_, after, found := strings.Cut(rest, "| `"+name+"` | ")
			if !found {
				t.Errorf("docs/architecture.md does not name %s of the floor %q in its place", name, l.subject)
				continue
			}
			if subject, _, _ := strings.Cut(after, " |"); len(subject) < 5 {
				t.Errorf("docs/architecture.md does not say what the subject of %s is", name)
			}
			rest = after
		}
	}
	if n := strings.Count(string(page), "` | "); n == 0 {
		t.Error("the page has no table")
	}
}
