package helper

import (
	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/alloc"
)

// alloc returns what allocates levels and ids on this host.
func (m *Manager) alloc() *alloc.Book {
	return &alloc.Book{
		Root: m.Host.Root, Locks: m.locks(), Configs: m.Store, Host: m.Host, Domains: m.domainLevels, Warn: m.Warn,
	}
}

// domainLevels lists the levels of libvirt's domains but one, of running and of defined ones.
func (m *Manager) domainLevels(except string) ([]alloc.Use, error) {
	connection, err := m.libvirt.Connect()
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	var uses []alloc.Use
	// Of hundreds of our own, libvirt need not write and we not read the long description.
	texts, err := connection.DomainTexts(func(name, uuid string) bool {
		use := m.startedLevel(name, uuid)
		if use != nil && use.By != "libvirt domain "+except {
			uses = append(uses, *use)
		}
		return use != nil
	})
	if err != nil {
		return nil, err
	}
	for _, text := range texts {
		found, err := alloc.LevelsOfDomain(text, except)
		if err != nil {
			return nil, err
		}
		uses = append(uses, found...)
	}
	return uses, nil
}

// startedLevel returns the level that a running sandbox was started with; nil for a domain that is none.
func (m *Manager) startedLevel(name, uuid string) *alloc.Use {
	if config.CheckName(name) != nil {
		return nil
	}
	s, err := m.run(name).Recorded()
	if err != nil || s.UUID != uuid {
		return nil
	}
	level, err := alloc.LevelOf(s)
	if err != nil {
		return nil
	}
	return &alloc.Use{Level: level, By: "libvirt domain " + name}
}
