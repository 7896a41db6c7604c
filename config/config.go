// SPDX-License-Identifier: Apache-2.0

// Package config is the sandbox's description: the one source of truth for every program. In: the text of
// /etc/libvirt-sandbox/services/NAME.sandbox, and of the state beside it; out: a valid Sandbox, or an error that names
// file and line. Everybody may call it; it calls nobody and touches only these.
package config

import (
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/health"
	"github.com/virt-sandbox/virt-sandbox/internal/idmap"
	"github.com/virt-sandbox/virt-sandbox/internal/window"
)

// FormatVersion is the newest config format that this package reads, and the one that it writes.
const FormatVersion = 2

// DefaultBootTarget is what the container's systemd boots to when the config does not say.
const DefaultBootTarget = "multi-user.target"

// DefaultContentBase is the directory whose subdirectories hold the private content of each sandbox.
const DefaultContentBase = "/var/lib/libvirt/filesystems"

// What becomes of a container one of whose units has failed: nothing, an end and a start, or an end after which
// restart= counts.
const (
	OnFailureIgnore  = "ignore"
	OnFailureRestart = "restart"
	OnFailureFail    = "fail"
)

// What becomes of a container that runs what the host has replaced: nothing, a word about it, or a restart.
const (
	AutoRestartNo     = "no"
	AutoRestartNotify = "notify"
	AutoRestartYes    = "yes"
)

// Of which units inside the journal is passed on to the host's: of none, of Units, or of all.
const (
	ForwardNo    = "no"
	ForwardUnits = "units"
	ForwardAll   = "all"
)

// Where the journal of a sandbox is kept: in its content, or, all of it passed on, in the host's journal alone.
const (
	StoreContainer = "container"
	StoreHost      = "host"
)

// State reports whether a config is in ordinary use.
type State string

// The states of a config: in use, or marked by a delete that has begun and must be finished.
const (
	StateUsable   State = ""
	StateDeleting State = "deleting"
)

// Sandbox describes one container.
type Sandbox struct {
	Name      string
	UUID      string // of the libvirt domain, RFC 9562 text form
	MachineID string // 32 hexadecimal digits, machine-id(5)
	Created   time.Time
	State     State

	Units      []string // canonical unit names, systemd.unit(5); empty for a generic container
	Packages   []string // packages of -P, beside the owners of the units
	Command    []string // what a generic container runs; empty where there are units
	BootTarget string
	Autostart  bool
	Restart    string // Restart= of the host's unit, systemd.service(5)
	OnFailure  string // what becomes of the container when one of Units fails

	AutoRestart   string        // what becomes of the container when it is older than the host
	RestartWindow window.Window // when AutoRestart may restart it

	Health Health // how it is checked whether what runs is well

	Content string // directory of the private content, absolute
	Copy    bool   // whether Content starts as a copy of the host's or bare
	Image   string // image file that holds the content, absolute; empty for none

	ImageFormat ImageFormat    // of Image
	ImageFS     FileSystemType // that Image is made with; empty: DefaultImageFS
	ImageSize   Size           // bytes that Image is made with, 0 for one that is there

	Identity    Identity
	Security    Security
	Hardening   Hardening
	Limits      Limits
	Network     NetworkMode
	Forward     string // whose entries of the container's journal the host's gets
	Store       string // where that journal is kept
	Interfaces  []Interface
	Mounts      []Mount
	Disks       []Disk
	Private     []PrivatePath
	Environment []Variable
	Unit        []Directive // lines for [Unit] of the host's unit, after ours
	Service     []Directive // lines for [Service] of the host's unit, after ours
}

// Health is how it is checked, inside, whether a sandbox is well.
type Health = health.Check

// Identity is the user that runs the command of a generic container.
type Identity struct {
	UID, GID   uint32
	User, Home string
}

// SecurityMode says where the sandbox's SELinux context comes from.
type SecurityMode string

// The modes of the legacy tool's -s option.
const (
	SecurityStatic  SecurityMode = "static"
	SecurityDynamic SecurityMode = "dynamic"
	SecurityInherit SecurityMode = "inherit"
)

// AppArmorUnconfined is the profile of what AppArmor leaves alone.
const AppArmorUnconfined = "unconfined"

// Hardening keeps root inside from the kernel, beside and without SELinux.
type Hardening struct {
	Capabilities   Names // those that processes can ever have (capabilities(7))
	SystemCalls    Names // those that processes can make (syscalls(2))
	UserNamespaces bool  // whether there can be user namespaces inside
	ReadOnlyKernel bool  // whether files that set up the kernel are read-only
	IDMap          IDMap
	HideKernel     bool // whether files that tell of the kernel and the host are covered
}

// IDMap is the range of ids of a container's user namespace; the zero value is no namespace of its own.
type IDMap = idmap.Range

// IDMapCount is how many ids a container has.
const IDMapCount = idmap.Count

// Limits bound what the container may use.
type Limits struct {
	PIDs         uint32  // processes and threads, 0: none
	Memory       Size    // bytes, 0: none
	CPUs         float64 // share of CPUs, 0: none
	Run          Size    // bytes of /run
	Tmp          Size    // bytes of /tmp
	Shm          Size    // bytes of /dev/shm
	StartTimeout time.Duration
	StopTimeout  time.Duration
}

// NetworkMode says which network the container sees.
type NetworkMode string

// The network modes: a namespace of its own with loopback and Interfaces, or the host's network.
const (
	NetworkPrivate NetworkMode = "private"
	NetworkHost    NetworkMode = "host"
)

// Mount is one -m option of the administrator.
type Mount struct {
	Kind   MountKind
	Target string      // absolute path inside
	Source string      // absolute path on the host; for guest-bind, inside
	Format ImageFormat // of Source, for host-image
	Size   Size        // bytes, for ram
}

// PrivatePath is a path below /etc, /var or another place of the host that this sandbox has for itself.
type PrivatePath struct {
	Path string
	// package:NAME, unit:UNIT/DIRECTIVE, tmpfiles:FILE, user:NAME, script:PACKAGE, named:FILE:LINE, link:PATH or admin
	Origin string
}

// OriginAdmin is the origin of a path that is private because a person wants that.
const OriginAdmin = "admin"

// Variable is one environment variable of the command, or of the container's systemd and its services.
type Variable struct {
	Name, Value string
}

// New returns a Sandbox with the defaults of every key; the caller adds identity and content.
func New(name string) *Sandbox {
	return &Sandbox{
		Name:        name,
		BootTarget:  DefaultBootTarget,
		Restart:     "no",
		OnFailure:   OnFailureFail,
		AutoRestart: AutoRestartNotify,
		Health:      health.Usual(),
		Content:     DefaultContentBase + "/" + name,
		Network:     NetworkPrivate,
		Forward:     ForwardUnits,
		Store:       StoreContainer,
		Security:    Security{Mode: SecurityStatic, FileType: "container_file_t"},
		Hardening: Hardening{
			Capabilities: Names{Base: NamesAuto}, SystemCalls: Names{Base: NamesAuto},
			ReadOnlyKernel: true, HideKernel: true,
		},
		Limits: Limits{
			PIDs: 4096,
			Run:  64 << 20, Tmp: 256 << 20, Shm: 64 << 20,
			StartTimeout: 5 * time.Minute, StopTimeout: 2 * time.Minute,
		},
	}
}

// StoredByHost reports whether the journal is kept in the host's alone.
func (s *Sandbox) StoredByHost() bool { return s.Store == StoreHost && !s.Generic() }

// Generic reports whether the sandbox runs a command instead of systemd units.
func (s *Sandbox) Generic() bool { return len(s.Command) > 0 }
