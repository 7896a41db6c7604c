// SPDX-License-Identifier: Apache-2.0

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/console"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
	"github.com/virt-sandbox/virt-sandbox/internal/hostnet"
	"github.com/virt-sandbox/virt-sandbox/internal/initrd"
	"github.com/virt-sandbox/virt-sandbox/internal/lockfile"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/virt"
)

// virtual is a machine of qemu.
type virtual struct {
	options    *Options
	state      *stateDir
	groups     []uint32
	cache      *initrd.Cache
	level      *lockfile.Lock // holds the machine's MCS level; nil where it has none
	libvirt    *virt.Connection
	domain     *virt.Domain
	connection *net.UnixConn
	log        *machineLog
}

// Limits of the time that a machine may take.
const (
	bootLimit = 3 * time.Minute  // until the init inside says hello
	kvmLimit  = 10 * time.Second // the same, where it is not known whether KVM can boot a kernel
	slowLimit = 15 * time.Minute // the same, where the processor is emulated, perhaps by one that is emulated itself
)

func (m *virtual) start(ctx context.Context, s *config.Sandbox) (err error) {
	o := m.options
	if m.libvirt, err = virt.NewQEMU(virt.Options{URI: o.URI}).Connect(); err != nil {
		return err
	}
	model, err := m.libvirt.SecurityModel()
	if err != nil {
		return err
	}
	if model == "selinux" {
		if err := m.confine(ctx, s); err != nil {
			return err
		}
	}
	d, err := m.describe(s, model)
	if err != nil {
		return err
	}
	if s.Security.Mode != config.SecurityDynamic || s.Security.HasLabel() || s.Security.AppArmor != "" {
		// Else libvirt chooses by itself.
		d.SecurityModel = model
	}
	known := m.cache.Recall(kvmKey)
	d.Emulated = known == kvmFails || !hasKVM()
	if !d.Emulated {
		limit := kvmLimit
		if known == kvmWorks {
			limit = bootLimit
		}
		if err = m.boot(ctx, d, limit); err == nil {
			o.note("the machine has KVM")
			m.cache.Remember(kvmKey, kvmWorks)
			return nil
		}
		if ctx.Err() != nil || known == kvmWorks {
			return err
		}
		o.note("KVM does not start the machine: %v", err)
		m.shutDown()
		d.Emulated = true
		if err := m.boot(ctx, d, slowLimit); err != nil {
			return err
		}
		// Only now is it clear that it was for KVM.
		m.cache.Remember(kvmKey, kvmFails)
		o.note("the machine is emulated, as all will be until the host restarts")
		return nil
	}
	o.note("the machine is emulated")
	return m.boot(ctx, d, slowLimit)
}

// What the cache remembers of this boot of the host.
const (
	kvmKey   = "kvm"
	kvmWorks = "works"
	kvmFails = "fails"
)

func hasKVM() bool {
	_, err := os.Stat("/dev/kvm")
	return err == nil
}

// boot starts the machine and waits until the init inside says hello.
func (m *virtual) boot(ctx context.Context, d *domain.Machine, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%s was not ready within %v", d.Name, limit))
	defer cancel()
	xml, err := domain.QEMU(d)
	if err != nil {
		return err
	}
	if err := m.state.markStarted(); err != nil {
		return err
	}
	// It waits until somebody hears its first words.
	m.domain, err = m.libvirt.Create(d.Name, xml, virt.AutoDestroy|virt.Paused)
	if err != nil {
		if errors.Is(err, virt.ErrTaken) {
			m.state.unmark()
		}
		return err
	}
	log, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: d.Log, Net: "unix"})
	if err != nil {
		return fmt.Errorf("connect to the machine: %w", err)
	}
	m.log = readLog(log, m.options.Log)
	if m.connection, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: d.Socket, Net: "unix"}); err != nil {
		return fmt.Errorf("connect to the machine: %w", err)
	}
	if err := m.domain.Resume(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = m.connection.SetDeadline(time.Now()) })
	defer stop()
	err = console.Greet(m.connection)
	if ctx.Err() != nil {
		return fmt.Errorf("%w%s", context.Cause(ctx), m.log.quoted())
	}
	if err != nil && !errors.Is(err, console.ErrProtocol) {
		return fmt.Errorf("%s ended while it started%s", d.Name, m.log.quoted())
	}
	if err != nil {
		return err
	}
	return hostnet.AwaitForwarding(ctx, d.Interfaces)
}

// PrepareTeardown implements machine: nothing of it is in the way of a machine that switches itself off.
func (m *virtual) PrepareTeardown() {}

// Stop implements machine. What has said how its command ended is about to switch itself off, with nothing left to
// write.
func (m *virtual) Stop() error {
	m.shutDown()
	if m.libvirt != nil {
		m.libvirt.Close()
	}
	err := m.state.remove()
	m.level.Release()
	return err
}

// shutDown ends the domain; libvirt would do so when the connection to it is closed, but not at once.
func (m *virtual) shutDown() {
	if m.domain != nil {
		// An error is that it has gone already.
		_ = m.domain.DestroyGracefully()
		_ = m.domain.Destroy()
		m.domain.Free()
		m.domain = nil
	}
	if m.connection != nil {
		m.connection.Close()
		m.connection = nil
	}
	if m.log != nil {
		m.log.close()
		m.log = nil
	}
}

// machineLog is what the kernel and the init inside say.
type machineLog struct {
	connection *net.UnixConn
	done       chan struct{}
	mu         sync.Mutex
	text       []byte // the last of it
}

// maxLog is how much of it is kept, in bytes.
const maxLog = 4096

func readLog(connection *net.UnixConn, to io.Writer) *machineLog {
	l := &machineLog{connection: connection, done: make(chan struct{})}
	if to == nil {
		to = io.Discard
	}
	go func() {
		defer close(l.done)
		_, _ = io.Copy(io.MultiWriter(l, harmless{to}), connection)
	}()
	return l
}

// harmless passes on what root in a machine may have said, for a person's terminal.
type harmless struct{ to io.Writer }

func (h harmless) Write(p []byte) (int, error) {
	_, err := h.to.Write(printable.Bytes(p))
	return len(p), err
}

// Write implements io.Writer.
func (l *machineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	l.text = l.text[max(0, len(l.text)-maxLog):]
	return len(p), nil
}

func (l *machineLog) close() {
	l.connection.Close()
	<-l.done
}

// quoted returns the last words for an error, once there are no more to come or too late.
func (l *machineLog) quoted() string {
	select {
	case <-l.done:
	case <-time.After(100 * time.Millisecond):
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(printable.Text(string(l.text)))
	if text == "" {
		return ""
	}
	return "; its console says: " + text
}
