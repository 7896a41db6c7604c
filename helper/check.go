package helper

import (
	"context"
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper/content"
)

// Check compares the content of a sandbox, which may be up, with its config, and with fix sets right what differs.
func (m *Manager) Check(ctx context.Context, name string, fix bool) ([]content.Finding, error) {
	s, err := m.Store.Load(name)
	if err != nil {
		return nil, err
	}
	state, err := content.Inspect(s.Content)
	if err != nil {
		return nil, err
	}
	switch state {
	case content.Absent:
		return nil, fmt.Errorf("%s has no content at %s yet; start it first", name, s.Content)
	case content.Foreign:
		return nil, fmt.Errorf("%s is not content of virt-sandbox; correct content= in %s", s.Content, m.Store.Path(name))
	}
	owner, _, err := m.ownerOf(s)
	if err != nil {
		return nil, err
	}
	if owner != name {
		return nil, m.contentIsOf(s, owner)
	}
	if !m.Host.SELinux() {
		m.Warn("SELinux is off on this host: there are no labels to check")
		return nil, nil
	}
	if err := requireStatic(s.Security.Mode); err != nil {
		return nil, fmt.Errorf("%s: mode=%s: %w", m.Store.Path(name), s.Security.Mode, err)
	}
	return m.Host.Check(ctx, s, fix)
}

// warnOfLabels tells of content that the container will not be able to use.
func (m *Manager) warnOfLabels(s *config.Sandbox) {
	finding, err := m.Host.CheckTop(s)
	if err != nil {
		m.Warn("%v", err)
	}
	if finding != nil {
		m.Warn("%v; virt-sandbox-service check %s lists all such files, and with --fix gives them their label", finding, s.Name)
	}
	sources, err := m.Host.CheckSources(s)
	if err != nil {
		m.Warn("%v", err)
	}
	for _, f := range sources {
		part := strings.SplitN(f.Wanted, ":", 4)
		m.Warn("%v: %s cannot write there; chcon -R -t %s -l %s gives it the label", f, s.Name, part[2], part[3])
	}
}
