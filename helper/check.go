package helper

import (
	"context"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/checkup"
	"github.com/virt-sandbox/virt-sandbox/internal/contentcheck"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// Finding is something of a sandbox that is not as it should be.
type Finding = contentcheck.Finding

// Check lists what of a sandbox, which may be up, is not as it should be: its config, the unit file, images, content and
// labels, and what interrupted verbs have left. With fix it sets labels right, and nothing else.
// Errors: config.ErrNotFound.
func (m *Manager) Check(ctx context.Context, name string, fix bool) ([]Finding, error) {
	c := checkup.Checker{
		Configs: m.Store, Host: m.Host, Images: m.images(), Stubs: m.stubs(), Provisioner: m.provisioner(), LockName: m.lockName,
		Warn: m.Warn,
	}
	return c.Check(ctx, name, fix)
}

// warnOfLabels warns of content that the container will not be able to use.
func (m *Manager) warnOfLabels(s *config.Sandbox) {
	finding, err := contentcheck.TopLabels(m.Host, s)
	if err != nil {
		m.Warn("%v", err)
	}
	if finding != nil {
		m.Warn("%v; virt-sandbox-service check %s lists all such files, and with --fix gives them their label", finding, s.Name)
	}
	sources, err := contentcheck.Sources(m.Host, s)
	if err != nil {
		m.Warn("%v", err)
	}
	for _, f := range sources {
		wanted, err := secontext.Parse(f.Wanted)
		if err != nil {
			m.Warn("%v: %s cannot write there", f, s.Name)
			continue
		}
		m.Warn("%v: %s cannot write there; chcon -R -t %s -l %s gives it the label", f, s.Name, wanted.Type, wanted.Level)
	}
}
