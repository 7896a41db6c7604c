// SPDX-License-Identifier: Apache-2.0

package network

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// Files below the directory of a running container.
const (
	stateFile = "network.json" // of the host
	// ResolvFile is the resolv.conf(5) that the container is shown.
	ResolvFile = "guest/resolv.conf"
)

// State is what a container's network has, in a file so that whoever comes after the one who keeps it can go on.
type State struct {
	Hostname   string // that servers are told
	Interfaces []Interface
	Leases     map[string]*Lease `json:",omitempty"` // by the interface's name

	dir *os.Root
	mu  sync.Mutex
}

// NewState is that of a container to be, with its directory.
func NewState(dir *os.Root, hostname string, interfaces []Interface) *State {
	return &State{Hostname: hostname, Interfaces: interfaces, Leases: make(map[string]*Lease), dir: dir}
}

// readState reads what a State has saved; nil where there is none.
func readState(dir *os.Root) (*State, error) {
	data, err := dir.ReadFile(stateFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read state of the network: %w", err)
	}
	state := NewState(dir, "", nil)
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("read state of the network: %w", err)
	}
	if state.Leases == nil {
		state.Leases = make(map[string]*Lease)
	}
	return state, nil
}

// set records a lease of an interface, nil for none, and writes resolv.conf after it.
func (s *State) set(name string, lease *Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Leases[name] = lease; lease == nil {
		delete(s.Leases, name)
	}
	return errors.Join(s.save(), s.writeResolv())
}

func (s *State) save() error {
	data, err := json.MarshalIndent(s, "", "\t")
	if err == nil {
		err = s.dir.WriteFile(stateFile+".new", data, 0o600)
	}
	if err == nil {
		err = s.dir.Rename(stateFile+".new", stateFile)
	}
	if err != nil {
		return fmt.Errorf("save state of the network: %w", err)
	}
	return nil
}
