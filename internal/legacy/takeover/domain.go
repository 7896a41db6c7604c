// SPDX-License-Identifier: Apache-2.0

package takeover

import (
	"path/filepath"

	"libvirt.org/go/libvirtxml"
)

// Domain is a domain of libvirt that has the name of a sandbox.
type Domain interface {
	XML() (string, error)
	IsPersistent() (bool, error) // whether it is defined, and not only there while it runs
	IsActive() (bool, error)
}

// Verdict says what a domain of the name is.
type Verdict int

// The verdicts.
const (
	Nothing Verdict = iota // ours, or there is nothing to do
	Foreign                // of somebody else
	Running                // legacy, and up
	Defined                // legacy and down: libvirt is to forget it
)

// Judge says what a domain of the name is. started is whether a container of ours has been started under the name.
// Errors: those of the domain.
func (r Remains) Judge(d Domain, started bool) (Verdict, error) {
	text, err := d.XML()
	if err != nil {
		return Nothing, err
	}
	isLegacy, err := r.isLegacy(text)
	if err != nil {
		return Nothing, err
	}
	persistent, err := d.IsPersistent()
	if err != nil {
		return Nothing, err
	}
	active, err := d.IsActive()
	switch {
	case err != nil:
		return Nothing, err
	case !isLegacy && !persistent && active && started:
		return Nothing, nil
	case !isLegacy:
		return Foreign, nil
	case active:
		return Running, nil
	case !persistent:
		return Nothing, nil
	}
	return Defined, nil
}

// isLegacy reports whether a domain is the original's: it has the directory of the legacy config bound into it. Its
// UUID is not always that of the config.
func (r Remains) isLegacy(xml string) (bool, error) {
	var d libvirtxml.Domain
	if err := d.Unmarshal(xml); err != nil {
		return false, err
	}
	if d.Devices == nil {
		return false, nil
	}
	dir := filepath.Dir(r.Configs.Path(r.Name))
	for _, f := range d.Devices.Filesystems {
		if f.Source != nil && f.Source.Mount != nil && filepath.Clean(f.Source.Mount.Dir) == dir {
			return true, nil
		}
	}
	return false, nil
}
