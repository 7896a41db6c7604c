// SPDX-License-Identifier: Apache-2.0

package alloc

import (
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/mcs"
)

// LevelsOfDomains returns the levels of libvirt's domains but one, of running and of defined ones. texts returns the
// XML of all that isKnown does not report; recorded is what a running sandbox was started as.
func LevelsOfDomains(texts func(isKnown func(name, uuid string) bool) ([]string, error),
	recorded func(name string) (*config.Sandbox, error), except string) ([]Use, error) {
	var uses []Use
	// Of hundreds of our own, libvirt need not write and we not read the long description.
	others, err := texts(func(name, uuid string) bool {
		level, err := startedLevel(name, uuid, recorded)
		if err == nil && name != except {
			uses = append(uses, Use{Level: level, By: "libvirt domain " + name})
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	for _, text := range others {
		found, err := LevelsOfDomain(text, except)
		if err != nil {
			return nil, err
		}
		uses = append(uses, found...)
	}
	return uses, nil
}

// startedLevel returns the level that a running sandbox was started with, and an error for a domain that is none.
func startedLevel(name, uuid string, recorded func(string) (*config.Sandbox, error)) (mcs.Level, error) {
	if err := config.CheckName(name); err != nil {
		return mcs.Level{}, err
	}
	s, err := recorded(name)
	if err == nil && s.UUID != uuid {
		err = fmt.Errorf("domain %s is another's", name)
	}
	if err != nil {
		return mcs.Level{}, err
	}
	return LevelOf(s)
}

// LevelsOfDomain reads the levels in the XML of a domain; none of the one that is named except.
func LevelsOfDomain(xml, except string) ([]Use, error) {
	var d libvirtxml.Domain
	if err := d.Unmarshal(xml); err != nil {
		return nil, fmt.Errorf("read libvirt's domains: %w", err)
	}
	if d.Name == except {
		return nil, nil
	}
	var uses []Use
	for _, label := range d.SecLabel {
		for _, context := range []string{label.Label, label.BaseLabel} {
			// The base of a dynamic label has no categories: they are added at the start.
			if level, err := mcs.OfContext(context); err == nil && (context == label.Label || level.Count() > 0) {
				uses = append(uses, Use{level, "libvirt domain " + d.Name})
			}
		}
	}
	return uses, nil
}
