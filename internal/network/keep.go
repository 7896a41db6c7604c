// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/namespace"
)

// Start sets up the network of a container, whose interfaces are on: what is fixed, and a first lease for each
// interface that wants one, within the context's time. The process is one in the container.
func (s *State) Start(ctx context.Context, process *os.File) error {
	if err := namespace.InNetworkOf(process, func() error {
		for _, i := range s.Interfaces {
			if err := configure(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	var group sync.WaitGroup
	failures := make([]error, len(s.Interfaces))
	for n, i := range s.Interfaces {
		if i.DHCP {
			group.Go(func() { failures[n] = namespace.InNetworkOf(process, func() error { return s.first(ctx, i.Name) }) })
		}
	}
	group.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.save(), s.writeResolv())
}

func (s *State) first(ctx context.Context, name string) error {
	p := port{name, s.Hostname}
	lease, err := p.discover(ctx)
	if err != nil {
		return err
	}
	if err := p.apply(nil, lease); err != nil {
		return err
	}
	return s.set(name, lease)
}

// Keep renews the leases that the State in a directory has, until the context ends. It says what changes by log. It
// returns at once where there is nothing to keep.
func Keep(ctx context.Context, directory, process *os.File, log func(string)) error {
	dir, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", directory.Fd()))
	if err != nil {
		return fmt.Errorf("open runtime directory: %w", err)
	}
	defer dir.Close()
	state, err := readState(dir)
	if state == nil || err != nil {
		return err
	}
	var group sync.WaitGroup
	for _, i := range state.Interfaces {
		if !i.DHCP {
			continue
		}
		lease := state.Leases[i.Name]
		group.Go(func() {
			err := namespace.InNetworkOf(process, func() error {
				k := keeper{host: kernel{port{i.Name, state.Hostname}, state}, name: i.Name, now: sinceBoot, log: log}
				return k.keep(ctx, lease)
			})
			if err != nil {
				log(err.Error() + "; its lease is not renewed any more")
			}
		})
	}
	group.Wait()
	return nil
}

// kernel is an interface as a keeper sees it.
type kernel struct {
	port
	state *State
}

func (k kernel) apply(old, lease *Lease) error {
	return errors.Join(k.port.apply(old, lease), k.state.set(k.name, lease))
}

// host is what a keeper works on.
type host interface {
	discover(context.Context) (*Lease, error)
	request(ctx context.Context, lease *Lease, everybody bool) (*Lease, error)
	apply(old, lease *Lease) error
}

// keeper renews one lease.
type keeper struct {
	host
	name string
	now  func() time.Duration // since some moment in the past
	log  func(string)
}

// Times of a keeper.
const (
	discoverLimit = 45 * time.Second // for one search for a server
	discoverPause = time.Minute      // between two
	requestPause  = time.Minute      // at least, between requests (RFC 2131, 4.4.5)
	requestLimit  = 15 * time.Second // for the answer to one
	longestSleep  = 5 * time.Minute  // so that a lease that ended while the host slept is soon found out
)

// keep renews a lease, and looks for another where there is none or it ends. It returns when the context ends, or with
// an error when the interface is gone.
func (k keeper) keep(ctx context.Context, lease *Lease) error {
	said := "" // so that nothing is said twice
	for ctx.Err() == nil {
		next, pause, err := k.step(ctx, lease)
		if ctx.Err() != nil {
			break
		}
		if isGone(err) {
			return err
		}
		if next != lease {
			if next != nil && (lease == nil || next.Address.Prefix != lease.Address.Prefix) {
				k.log(fmt.Sprintf("%s: has the address %s, from %s", k.name, next.Address.Prefix, next.Server))
			}
			if err := k.apply(lease, next); isGone(err) {
				return err
			} else if err != nil {
				k.log(err.Error())
			}
			lease = next
		}
		if err != nil && err.Error() != said {
			k.log(err.Error())
			said = err.Error()
		} else if err == nil && lease != nil {
			said = ""
		}
		k.rest(ctx, pause)
	}
	return nil
}

// rest lets time pass, by the clock of leases.
func (k keeper) rest(ctx context.Context, pause time.Duration) {
	for begun := k.now(); ; {
		left := pause - (k.now() - begun)
		if left <= 0 || !sleep(ctx, min(left, longestSleep)) {
			return
		}
	}
}

// step does what is due: it gives the lease from now on, and how long nothing is due.
func (k keeper) step(ctx context.Context, lease *Lease) (next *Lease, pause time.Duration, err error) {
	if lease == nil {
		ctx, cancel := context.WithTimeout(ctx, discoverLimit)
		defer cancel()
		if next, err = k.discover(ctx); err != nil {
			return nil, discoverPause, err
		}
		return next, 0, nil
	}
	age := k.now() - lease.Obtained
	until := lease.Rebind
	switch {
	case age < lease.Renew:
		return lease, lease.Renew - age, nil
	case age >= lease.Expire:
		return nil, 0, fmt.Errorf("%s: the lease of %s has ended", k.name, lease.Address.Prefix.Addr())
	case age >= lease.Rebind:
		until = lease.Expire
	}
	left := until - age
	limited, cancel := context.WithTimeout(ctx, min(left, requestLimit))
	defer cancel()
	next, err = k.request(limited, lease, age >= lease.Rebind)
	switch {
	case err == nil:
		return next, 0, nil
	case errors.Is(err, errRefused):
		return nil, 0, fmt.Errorf("%w; the address %s is given up", err, lease.Address.Prefix.Addr())
	}
	left = until - (k.now() - lease.Obtained)
	return lease, min(left, max(left/2, requestPause)), err
}
