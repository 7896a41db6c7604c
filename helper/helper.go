// Package helper is what units and the service tool call: create, start, stop and delete of containers on libvirt's LXC
// driver. In: names, and configs from the store; out: a container in the state asked for, or an error with nothing half
// done left behind. It is the Go API for containers that stay, as package sandbox, which stands on it, is for one command.
package helper

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
)

// DefaultURI is where containers run.
const DefaultURI = "lxc:///"

// RuntimeBase holds what lives only as long as a container runs.
const RuntimeBase = "/run/virt-sandbox"

// ErrRunning is returned by Delete for a container that is up.
var ErrRunning = errors.New("is running")

// Manager carries out the verbs.
type Manager struct {
	Store config.Store
	Host  content.Host
	URI   string
	// Patience is how long libvirt may take to answer; 0 for as long as it likes.
	Patience time.Duration
	// Warn takes one line that a person should read though nothing failed.
	Warn func(format string, args ...any)
	// Console takes what containers say on their consoles while they start.
	Console io.Writer
	// Progress shows how far long work is; nil for silence.
	Progress *content.Progress

	putOff *reloads  // set by Together
	noted  sync.Once // what the host has in place of SELinux
}

// RequireRoot tells at once what would otherwise fail half way.
func RequireRoot() error {
	if os.Geteuid() != 0 {
		return errors.New("root is needed; run it with sudo")
	}
	return nil
}
