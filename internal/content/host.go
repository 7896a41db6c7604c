// SPDX-License-Identifier: Apache-2.0

// Package content puts in place what a sandbox has for itself. In: a config.Sandbox and the host's files, packages and
// unit files; out: the tree at Sandbox.Content with a manifest, and the mounts that show it. The verbs call it; it
// knows neither libvirt nor D-Bus. What upgrades, checks and packs a tree stands on it: contentupgrade, contentcheck,
// contentarchive.
package content

import "github.com/virt-sandbox/virt-sandbox/internal/pkgdb"

// Host is where units, packages and files come from.
type Host struct {
	Root     string           // "" for the machine itself
	Packages []pkgdb.Database // in the order in which they are asked
}
