package helper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// errNoAnswer is returned by connect where libvirt took longer than the manager's patience.
var errNoAnswer = errors.New("it does not answer")

// connect opens the connection to libvirt. Errors: errNoAnswer.
func (m *Manager) connect() (*libvirt.Connect, error) {
	if err := config.CheckURI(m.URI); err != nil {
		return nil, err
	}
	connection, err := within(m.Patience, func() (*libvirt.Connect, error) { return libvirt.NewConnect(m.URI) })
	if errors.Is(err, errNoAnswer) {
		return nil, fmt.Errorf("connect to libvirt at %s: %w", m.URI, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to libvirt at %s: %s; is libvirtd (or virtlxcd) running?", m.URI, reason(err))
	}
	return connection, nil
}

// overRestarts does something with a connection, and again with one to the next libvirtd when libvirtd is restarted
// meanwhile. Errors: those of do; errNoAnswer, when libvirtd does not come back.
func (m *Manager) overRestarts(ctx context.Context, connection *libvirt.Connect, do func(*libvirt.Connect) error) error {
	err := do(connection)
	for err != nil && isLost(connection) {
		if connection, err = m.connectAgain(ctx); err != nil {
			return err
		}
		defer connection.Close()
		err = do(connection)
	}
	return err
}

func isLost(connection *libvirt.Connect) bool {
	alive, err := connection.IsAlive()
	return err != nil || !alive
}

// connectAgain connects to the libvirtd that comes after one that has gone, if it does not take long. Errors: errNoAnswer.
func (m *Manager) connectAgain(ctx context.Context) (*libvirt.Connect, error) {
	const patience = 20 * time.Second
	for begun := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		connection, err := m.connect()
		switch {
		case err == nil || errors.Is(err, errNoAnswer):
			return connection, err
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case time.Since(begun) > patience:
			return nil, fmt.Errorf("%w since it was restarted: %w", errNoAnswer, err)
		}
	}
}

// within waits for what may never return; it then goes on in the background of a process that will not live long.
func within(limit time.Duration, open func() (*libvirt.Connect, error)) (*libvirt.Connect, error) {
	if limit == 0 {
		return open()
	}
	var connection *libvirt.Connect
	opened := make(chan error, 1)
	go func() {
		var err error
		connection, err = open()
		opened <- err
	}()
	select {
	case err := <-opened:
		return connection, err
	case <-time.After(limit):
		return nil, errNoAnswer
	}
}

// reason gives libvirt's message without the numbers around it.
func reason(err error) string {
	var failure libvirt.Error
	if errors.As(err, &failure) {
		return failure.Message
	}
	return err.Error()
}

// lookup finds the running domain of a sandbox; nil for none.
func lookup(connection *libvirt.Connect, name string) (*libvirt.Domain, error) {
	domain, err := connection.LookupDomainByName(name)
	if err != nil {
		if isNoDomain(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("look up domain %s: %s", name, reason(err))
	}
	return domain, nil
}

func isNoDomain(err error) bool {
	var failure libvirt.Error
	return errors.As(err, &failure) && failure.Code == libvirt.ERR_NO_DOMAIN
}

// ownDomain is lookup that refuses a domain that only has the name in common with the sandbox.
func ownDomain(connection *libvirt.Connect, s *config.Sandbox) (*libvirt.Domain, error) {
	domain, err := lookup(connection, s.Name)
	if domain == nil || err != nil {
		return nil, err
	}
	uuid, err := domain.GetUUIDString()
	if err != nil {
		return nil, fmt.Errorf("look up domain %s: %s", s.Name, reason(err))
	}
	if uuid != s.UUID {
		return nil, fmt.Errorf("libvirt has another domain of the name %s (UUID %s); rename one of them", s.Name, uuid)
	}
	return domain, nil
}

// isUp tells whether a domain runs: libvirt may keep one that has ended.
func isUp(d *libvirt.Domain) bool {
	_, err := d.GetID()
	return err == nil
}

// securityModel tells what libvirt's LXC driver confines domains with: selinux, apparmor or "".
func securityModel(connection *libvirt.Connect) (string, error) {
	// Not in libvirt's capabilities, which it collects anew for everyone who asks.
	model, err := connection.GetSecurityModel()
	if err != nil {
		return "", fmt.Errorf("ask libvirt for its security model: %s", reason(err))
	}
	if model.Model == "selinux" || model.Model == "apparmor" {
		return model.Model, nil
	}
	return "", nil
}

// hostMemory is the machine's RAM in bytes.
func hostMemory(connection *libvirt.Connect) (config.Size, error) {
	info, err := connection.GetNodeInfo()
	if err != nil {
		return 0, fmt.Errorf("read the host's memory size: %s", reason(err))
	}
	return config.Size(info.Memory) * 1024, nil
}

// controllerPID gives the libvirt_lxc process of a sandbox. Errors: ErrNotRunning.
func (m *Manager) controllerPID(s *config.Sandbox) (int, error) {
	connection, err := m.connect()
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	running, err := ownDomain(connection, s)
	if err != nil {
		return 0, err
	}
	if running == nil {
		return 0, fmt.Errorf("%s %w; start it first", s.Name, ErrNotRunning)
	}
	defer running.Free()
	if state, _, err := running.GetState(); err == nil && state == libvirt.DOMAIN_PAUSED {
		// Whoever entered its frozen cgroups would freeze too.
		return 0, fmt.Errorf("%s is paused; run virsh -c %s resume %s first", s.Name, m.URI, s.Name)
	}
	id, err := running.GetID()
	if err != nil {
		return 0, fmt.Errorf("find the container's process: %s", reason(err))
	}
	return int(id), nil
}

// domainTexts gives the XML of libvirt's domains, of running and of defined ones, but for those that are known without.
func (m *Manager) domainTexts(known func(libvirt.Domain) bool) ([]string, error) {
	connection, err := m.connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return textsOf(connection, known)
}

// textsOf is domainTexts of a connection.
func textsOf(connection *libvirt.Connect, known func(libvirt.Domain) bool) ([]string, error) {
	domains, err := connection.ListAllDomains(0)
	if err != nil {
		return nil, fmt.Errorf("list libvirt's domains: %s", reason(err))
	}
	var texts []string
	for _, d := range domains {
		if known != nil && known(d) {
			d.Free()
			continue
		}
		text, err := d.GetXMLDesc(0)
		d.Free()
		if err != nil {
			if isNoDomain(err) {
				continue
			}
			return nil, fmt.Errorf("read libvirt's domains: %s", reason(err))
		}
		texts = append(texts, text)
	}
	return texts, nil
}
