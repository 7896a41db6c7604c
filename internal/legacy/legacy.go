// SPDX-License-Identifier: Apache-2.0

// Package legacy finds and reads the configs of the original libvirt-sandbox (until 2018), which are GLib key files,
// and turns them into ours. In: a store, or the text; out: what it says, and a config.Sandbox with a list of what that
// cannot hold. It writes nothing; package takeover below it turns the rest of a legacy sandbox into ours. The upgrade
// calls it, and the generator for the places of configs. All of the original is called legacy here, but for the
// messages.
package legacy

// Class is the kind of a legacy sandbox.
type Class string

// The classes.
const (
	ClassSystemd     Class = "GVirSandboxConfigServiceSystemd"
	ClassGeneric     Class = "GVirSandboxConfigServiceGeneric"
	ClassInteractive Class = "GVirSandboxConfigInteractive"
)

// Config is what a legacy config says.
type Config struct {
	File  string // for messages
	Class Class

	Name, UUID, Root, Arch                 string
	KernelRelease, KernelPath, ModulesPath string
	Shell, Debug, Verbose                  bool
	UID, GID                               uint32
	User, Home                             string
	Mounts                                 []Mount
	Environment                            []Variable
	Disks                                  []Disk
	Networks                               []Network
	Label                                  string
	Dynamic                                bool
	TTY                                    bool
	Command                                []string
	BootTarget                             string

	lines   map[string]int // of "group/key", and of groups as "group"
	unknown []place
}

// MountKind is the type of a mount, without the prefix that all have.
type MountKind string

// The kinds of mounts.
const (
	HostBind  MountKind = "HostBind"
	HostImage MountKind = "HostImage"
	GuestBind MountKind = "GuestBind"
	RAM       MountKind = "Ram"
)

const mountPrefix = "GVirSandboxConfigMount"

// Mount is one [mount.N].
type Mount struct {
	Kind     MountKind
	Target   string
	Source   string // on the host, or inside for GuestBind
	Format   string // of an image
	Usage    uint64 // bytes, of RAM
	Includes []Include
	Line     int
}

// Include is one [mount.N.include.M].
type Include struct {
	Source, Target string
	Line           int
}

// Variable is one [env.N].
type Variable struct {
	Name, Value string
	Line        int
}

// Disk is one [disk.N].
type Disk struct {
	Type, Tag, Source, Format string
	Line                      int
}

// Network is one [network.N] with what belongs to it.
type Network struct {
	DHCP        bool
	Source, MAC string
	Addresses   []Address
	Routes      []Route
	Filter      string
	Parameters  []Parameter // of the filter
	Line        int
}

// Address is one [network.N.address.M].
type Address struct {
	IP, Broadcast string
	Prefix        uint32
	Line          int
}

// Route is one [network.N.route.M].
type Route struct {
	Target, Gateway string
	Prefix          uint32
	Line            int
}

// Parameter is one [network.N.filterref.M].
type Parameter struct {
	Name, Value string
	Line        int
}

// place is a line of the config for a message.
type place struct {
	line int
	text string
}
