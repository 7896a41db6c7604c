// SPDX-License-Identifier: Apache-2.0

package content

import (
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Action is what an upgrade does about a path.
type Action string

// The actions of an upgrade. Only the first five change anything.
const (
	ActionPrivate     Action = "private"     // the package's new version needs it: the sandbox has it for itself now
	ActionAdded       Action = "added"       // new in the package
	ActionUpdated     Action = "updated"     // unchanged in the container: it follows the package
	ActionConflict    Action = "conflict"    // changed on both sides: the package's lies beside it
	ActionRemoved     Action = "removed"     // dropped by the package, unchanged in the container, and removed on request
	ActionKept        Action = "kept"        // changed in the container alone
	ActionDropped     Action = "dropped"     // the package has it no more; it stays
	ActionUnavailable Action = "unavailable" // the host has the package's version no more, only a changed one
	ActionBlocked     Action = "blocked"     // something else is in the way in the container, such as a link
)

// Actions lists them all, in the order in which a person wants to know of them.
func Actions() []Action {
	return []Action{
		ActionPrivate, ActionAdded, ActionUpdated, ActionConflict, ActionRemoved,
		ActionKept, ActionDropped, ActionUnavailable, ActionBlocked,
	}
}

// Changes reports whether the action changes the sandbox.
func (a Action) Changes() bool {
	return slices.Contains([]Action{ActionPrivate, ActionAdded, ActionUpdated, ActionConflict, ActionRemoved}, a)
}

// Change is what an upgrade does, or would do, about one path.
type Change struct {
	Path   string `json:"path"` // inside the container
	Action Action `json:"action"`
	Beside string `json:"beside,omitempty"` // where the package's version lies, of a conflict
}

// String is the change as one line.
func (c Change) String() string {
	if c.Beside != "" {
		return fmt.Sprintf("%s %s (the package's is %s)", c.Action, printable.Quoted(c.Path), printable.Quoted(c.Beside))
	}
	return fmt.Sprintf("%s %s", c.Action, printable.Quoted(c.Path))
}
