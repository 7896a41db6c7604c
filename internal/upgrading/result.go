// SPDX-License-Identifier: Apache-2.0

package upgrading

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/contentupgrade"
)

// Options are what an administrator asks of upgrade.
type Options struct {
	contentupgrade.Options
	Units []string // of a legacy config that does not tell them
}

// Result is what an upgrade did to a sandbox, or would do.
type Result struct {
	Name    string           `json:"name"`
	Steps   []string         `json:"steps,omitempty"` // of turning a legacy config into ours
	Notes   []string         `json:"notes,omitempty"` // what of that config is not carried over
	Changes []content.Change `json:"changes"`
	Running bool             `json:"running"` // what runs has to be reloaded or restarted
	Error   string           `json:"error,omitempty"`
}

// Changed reports whether the upgrade changed anything.
func (r *Result) Changed() bool {
	return len(r.Steps) > 0 || slices.ContainsFunc(r.Changes, func(c content.Change) bool { return c.Action.Changes() })
}

// Summary counts the changes in one line.
func (r *Result) Summary() string {
	var counts []string
	if len(r.Steps) > 0 {
		counts = append(counts, "converted")
	}
	for _, action := range content.Actions() {
		n := 0
		for _, c := range r.Changes {
			if c.Action == action {
				n++
			}
		}
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, action))
		}
	}
	text := r.Name + ": " + strings.Join(counts, ", ")
	if !r.Changed() {
		text = r.Name + ": up to date"
		if len(counts) > 0 {
			text += ", " + strings.Join(counts, ", ")
		}
	}
	if r.Running && slices.ContainsFunc(r.Changes, func(c content.Change) bool { return c.Action.Changes() }) {
		text += "; it is running: reload or restart it to use that"
	}
	return text
}
