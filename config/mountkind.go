// SPDX-License-Identifier: Apache-2.0

package config

// MountKind is the TYPE of a -m TYPE:… option. What code does with a mount depends on the properties of its kind, which
// the methods report, and not on the kind itself.
type MountKind string

// The kinds of mounts. A further one is a line here and one in mountKinds.
const (
	MountGuestBind MountKind = "guest-bind" // a directory or file of the container itself
	MountHostBind  MountKind = "host-bind"  // a host directory or file, writable
	MountHostShow  MountKind = "host-show"  // the same, read-only
	MountHostImage MountKind = "host-image" // the file system in a file of the host
	MountRAM       MountKind = "ram"        // a tmpfs of Size bytes
)

// mountKind describes a kind of mount.
type mountKind struct {
	kind     MountKind
	shows    shown
	writable bool // as the container sees it; a bind inside is as what it shows

	form string                           // message about a value of another form
	read func(m *Mount, text string) bool // reads what follows TARGET=, and reports whether it is of the form
	text func(m Mount) string             // writes what read reads
}

// shown is what a mount shows.
type shown int

const (
	showsHostFiles shown = iota + 1 // a directory or file of the host
	showsImage                      // the file system in a file of the host
	showsInside                     // another place of the container
	showsMemory                     // files that live in memory, of this mount alone
)

// mountKinds describes all kinds, in the order in which they are told to people.
func mountKinds() []mountKind {
	return []mountKind{
		{MountHostBind, showsHostFiles, true, msgMount, readSource, Mount.source},
		{MountHostShow, showsHostFiles, false, msgMount, readSource, Mount.source},
		{MountHostImage, showsImage, true, msgHostImage, readImage, Mount.image},
		{MountGuestBind, showsInside, false, msgGuestBind, readInside, Mount.source},
		{MountRAM, showsMemory, true, msgRAM, readMemory, Mount.size},
	}
}

// MountKinds returns all kinds, in the order in which they are told to people.
func MountKinds() (kinds []MountKind) {
	for _, d := range mountKinds() {
		kinds = append(kinds, d.kind)
	}
	return kinds
}

// describe returns the description of a kind, which is empty for one that there is not.
func (k MountKind) describe() mountKind {
	for _, d := range mountKinds() {
		if d.kind == k {
			return d
		}
	}
	return mountKind{}
}

// ShowsHostFiles reports whether Source is a directory or file of the host that the container sees.
func (k MountKind) ShowsHostFiles() bool { return k.describe().shows == showsHostFiles }

// ShowsImage reports whether Source is a file of the host, of Format, whose file system the container sees.
func (k MountKind) ShowsImage() bool { return k.describe().shows == showsImage }

// ShowsInside reports whether Source is a place of the container. Such mounts are made inside, after all others.
func (k MountKind) ShowsInside() bool { return k.describe().shows == showsInside }

// ShowsMemory reports whether the mount has Size bytes of memory and nothing of the host.
func (k MountKind) ShowsMemory() bool { return k.describe().shows == showsMemory }

// HasHostSource reports whether Source is a path of the host.
func (k MountKind) HasHostSource() bool { return k.ShowsHostFiles() || k.ShowsImage() }

// IsWritable reports whether the mount stays writable where a container's mounts are made read-only.
func (k MountKind) IsWritable() bool { return k.describe().writable }

func (m Mount) source() string { return m.Source }

func (m Mount) image() string { return imageValue(m.Source, m.Format) }

func (m Mount) size() string { return m.Size.String() }

func readSource(m *Mount, text string) bool {
	m.Source = text
	return CheckPath(text) == nil
}

func readInside(m *Mount, text string) bool { return readSource(m, text) && text != "/" }

func readImage(m *Mount, text string) (ok bool) {
	var err error
	m.Source, m.Format, err = parseImage(text)
	return err == nil
}

func readMemory(m *Mount, text string) bool {
	var err error
	m.Size, err = ParseSize(text)
	return err == nil && m.Size > 0
}
