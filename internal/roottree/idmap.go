// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/usernamespace"
)

// unusedID is an id that no file has: distributions give out none from here on.
const unusedID = 1<<31 - 2

// containerIDs are those from 0 of a container.
func containerIDs(m config.IDMap) usernamespace.Range {
	return usernamespace.Range{Inside: 0, Outside: m.Base, Count: m.Count}
}

// noIDs maps no id that a file has. An owner without a mapping is nobody inside, over whose files root has no rights
// (user_namespaces(7)).
func noIDs(m config.IDMap) usernamespace.Range {
	return usernamespace.Range{Inside: unusedID, Outside: m.Base, Count: 1}
}
