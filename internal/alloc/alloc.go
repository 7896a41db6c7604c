// SPDX-License-Identifier: Apache-2.0

// Package alloc gives each sandbox what no other may have: its MCS level and its range of user ids. In: the configs of
// all sandboxes, libvirt's domains, the host's processes and policy, and the creates in progress, which the lock file
// knows. Out: the description with the choice in it, and a reservation to be held until the config names the choice.
// The verbs that make, complete and start sandboxes call it.
package alloc

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
)

// Configs are the configs of all sandboxes, as config.Store has them.
type Configs interface {
	Names() ([]string, error)
	Known(name string) (*config.Sandbox, error)
	Path(name string) string
}

// Host is what the host's SELinux says.
type Host interface {
	SELinux() bool
	CheckLabel(label string) error
}

// Book allocates. It may be used from several goroutines and processes at once.
type Book struct {
	Root    string // below which the host's files lie; empty for /
	Locks   *lockfile.File
	Configs Configs
	Host    Host
	// Domains returns the levels of libvirt's domains, of running and of defined ones, but for one that is named.
	Domains func(except string) ([]Use, error)
	Warn    func(format string, args ...any)
}
