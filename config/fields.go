// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/idmap"
	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/scalar"
	"github.com/virt-sandbox/virt-sandbox/internal/window"
)

// field is one key of the format: how it is read and how it is written.
type field struct {
	section, key string
	repeated     bool
	set          func(*Sandbox, string) error
	get          func(*Sandbox) []string // nothing: the key is not written
}

// environmentSection is the one section whose keys are free: names of variables.
const environmentSection = "environment"

// fields lists every key in the order in which it is written.
func fields() []field {
	return slices.Concat(identityFields(), sandboxFields(), mountFields(), contentFields())
}

// identityFields are the keys of which sandbox it is.
func identityFields() []field {
	return []field{
		{"sandbox", "format", false,
			func(_ *Sandbox, v string) error {
				if v != "1" && v != strconv.Itoa(FormatVersion) {
					return fmt.Errorf(msgFormat, v)
				}
				return nil
			},
			func(*Sandbox) []string { return []string{strconv.Itoa(FormatVersion)} }},
		text("sandbox", "name", func(s *Sandbox) *string { return &s.Name }, CheckName),
		text("sandbox", "uuid", func(s *Sandbox) *string { return &s.UUID }, checkUUID),
		text("sandbox", "machine-id", func(s *Sandbox) *string { return &s.MachineID }, checkMachineID),
		parsed("sandbox", "created", func(s *Sandbox) *time.Time { return &s.Created }, scalar.Time, scalar.TimeText),
		{"sandbox", "state", false,
			func(s *Sandbox, v string) error {
				if v != string(StateDeleting) {
					return fmt.Errorf(msgState, v)
				}
				s.State = StateDeleting
				return nil
			},
			func(s *Sandbox) []string { return optional(string(s.State)) }},
	}
}

// sandboxFields are the keys of what a sandbox runs and is confined by.
func sandboxFields() []field {
	return []field{
		list("sandbox", "unit", func(s *Sandbox) *[]string { return &s.Units }, CheckUnit),
		list("sandbox", "package", func(s *Sandbox) *[]string { return &s.Packages }, CheckPackage),
		text("sandbox", "boot-target", func(s *Sandbox) *string { return &s.BootTarget }, CheckUnit),
		boolean("sandbox", "autostart", func(s *Sandbox) *bool { return &s.Autostart }),
		text("sandbox", "restart", func(s *Sandbox) *string { return &s.Restart }, oneOf("restart", "no",
			"on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always")),
		choice("sandbox", "on-failure", func(s *Sandbox) *string { return &s.OnFailure },
			OnFailureIgnore, OnFailureRestart, OnFailureFail),
		choice("sandbox", "auto-restart", func(s *Sandbox) *string { return &s.AutoRestart },
			AutoRestartNo, AutoRestartNotify, AutoRestartYes),
		parsed("sandbox", "auto-restart-window", func(s *Sandbox) *window.Window { return &s.RestartWindow }, window.Parse,
			window.Window.String),
		text("sandbox", "health-cmd", func(s *Sandbox) *string { return &s.Health.Command },
			func(string) error { return nil }),
		unlessUsual(duration("sandbox", "health-interval",
			func(s *Sandbox) *time.Duration { return &s.Health.Interval })),
		unlessUsual(parsed("sandbox", "health-retries", func(s *Sandbox) *uint32 { return &s.Health.Retries }, scalar.Retries,
			func(n uint32) string { return strconv.FormatUint(uint64(n), 10) })),
		unlessUsual(parsed("sandbox", "health-start-period",
			func(s *Sandbox) *time.Duration { return &s.Health.StartPeriod }, scalar.Duration, time.Duration.String)),
		boolean("sandbox", "health-ready", func(s *Sandbox) *bool { return &s.Health.Ready }),
		text("sandbox", "content", func(s *Sandbox) *string { return &s.Content }, CheckContent),
		boolean("sandbox", "copy", func(s *Sandbox) *bool { return &s.Copy }),
		text("sandbox", "image", func(s *Sandbox) *string { return &s.Image }, CheckPath),
		text("sandbox", "image-format", func(s *Sandbox) *string { return (*string)(&s.ImageFormat) }, CheckImageFormat),
		text("sandbox", "image-fs", func(s *Sandbox) *string { return (*string)(&s.ImageFS) }, CheckImageFS),
		size("sandbox", "image-size", func(s *Sandbox) *Size { return &s.ImageSize }),

		list("command", "argument", func(s *Sandbox) *[]string { return &s.Command }, nil),

		number("identity", "uid", func(s *Sandbox) *uint32 { return &s.Identity.UID }),
		number("identity", "gid", func(s *Sandbox) *uint32 { return &s.Identity.GID }),
		text("identity", "user", func(s *Sandbox) *string { return &s.Identity.User }, CheckUser),
		text("identity", "home", func(s *Sandbox) *string { return &s.Identity.Home }, CheckPath),

		text("security", "mode", func(s *Sandbox) *string { return (*string)(&s.Security.Mode) }, checkMode),
		{"security", "label", false,
			func(s *Sandbox, v string) (err error) { s.Security.Label, err = ParseLabel(v); return err },
			func(s *Sandbox) []string { return optional(s.Security.ChosenLabel()) }},
		text("security", "level", func(s *Sandbox) *string { return &s.Security.Level }, checkLevel),
		text("security", "file-type", func(s *Sandbox) *string { return &s.Security.FileType }, CheckFileType),
		text("security", "apparmor", func(s *Sandbox) *string { return &s.Security.AppArmor }, CheckProfile),

		names("capabilities", func(s *Sandbox) *Names { return &s.Hardening.Capabilities }, ParseCapabilities),
		names("system-calls", func(s *Sandbox) *Names { return &s.Hardening.SystemCalls }, ParseSystemCalls),
		boolean("hardening", "user-namespaces", func(s *Sandbox) *bool { return &s.Hardening.UserNamespaces }),
		enabled("hardening", "read-only-kernel", func(s *Sandbox) *bool { return &s.Hardening.ReadOnlyKernel }),
		enabled("hardening", "hide-kernel", func(s *Sandbox) *bool { return &s.Hardening.HideKernel }),
		parsed("hardening", "idmap", func(s *Sandbox) *IDMap { return &s.Hardening.IDMap }, idmap.Parse, IDMap.String),

		{"limits", "pids", false,
			func(s *Sandbox, v string) (err error) { s.Limits.PIDs, err = scalar.PIDs(v); return err },
			func(s *Sandbox) []string {
				if s.Limits.PIDs == 0 {
					return []string{scalar.Unlimited}
				}
				return []string{strconv.FormatUint(uint64(s.Limits.PIDs), 10)}
			}},
		size("limits", "memory", func(s *Sandbox) *Size { return &s.Limits.Memory }),
		{"limits", "cpus", false,
			func(s *Sandbox, v string) (err error) { s.Limits.CPUs, err = scalar.CPUs(v); return err },
			func(s *Sandbox) []string {
				if s.Limits.CPUs == 0 {
					return nil
				}
				return []string{strconv.FormatFloat(s.Limits.CPUs, 'g', -1, 64)}
			}},
		tmpfs("limits", "run-size", func(s *Sandbox) *Size { return &s.Limits.Run }),
		tmpfs("limits", "tmp-size", func(s *Sandbox) *Size { return &s.Limits.Tmp }),
		tmpfs("limits", "shm-size", func(s *Sandbox) *Size { return &s.Limits.Shm }),
		duration("limits", "start-timeout", func(s *Sandbox) *time.Duration { return &s.Limits.StartTimeout }),
		duration("limits", "stop-timeout", func(s *Sandbox) *time.Duration { return &s.Limits.StopTimeout }),

		choice("journal", "forward", func(s *Sandbox) *string { return &s.Forward },
			ForwardNo, ForwardUnits, ForwardAll),
		choice("journal", "store", func(s *Sandbox) *string { return &s.Store }, StoreContainer, StoreHost),
		text("network", "mode", func(s *Sandbox) *string { return (*string)(&s.Network) },
			func(v string) error {
				return match(func(v string) bool { return v == string(NetworkPrivate) || v == string(NetworkHost) }, v, msgNetwork)
			}),
		parsedList("network", "interface", func(s *Sandbox) *[]Interface { return &s.Interfaces }, nic.Parse,
			Interface.String),
	}
}

// mountFields are the keys of mounts, one for each kind.
func mountFields() (list []field) {
	for _, kind := range slices.Sorted(slices.Values(MountKinds())) {
		list = append(list, mount(kind))
	}
	return list
}

// contentFields are the keys of disks and of private paths.
func contentFields() []field {
	return []field{
		parsedList("disks", "disk", func(s *Sandbox) *[]Disk { return &s.Disks }, ParseDisk, Disk.String),
		parsedList("private", "path", func(s *Sandbox) *[]PrivatePath { return &s.Private }, parsePrivate,
			func(p PrivatePath) string { return p.Origin + " " + p.Path }),
	}
}

// parsed is a value of a type of its own, which is not written where its text is empty.
func parsed[T any](
	section, key string, at func(*Sandbox) *T, parse func(string) (T, error), text func(T) string,
) field {
	return field{section, key, false,
		func(s *Sandbox, v string) (err error) { *at(s), err = parse(v); return err },
		func(s *Sandbox) []string { return optional(text(*at(s))) }}
}

// parsedList is the same of a key that is repeated.
func parsedList[T any](
	section, key string, at func(*Sandbox) *[]T, parse func(string) (T, error), text func(T) string,
) field {
	return field{section, key, true,
		func(s *Sandbox, v string) error {
			one, err := parse(v)
			*at(s) = append(*at(s), one)
			return err
		},
		func(s *Sandbox) (values []string) {
			for _, one := range *at(s) {
				values = append(values, text(one))
			}
			return values
		}}
}

func text(section, key string, at func(*Sandbox) *string, check func(string) error) field {
	return field{section, key, false,
		func(s *Sandbox, v string) error { *at(s) = v; return check(v) },
		func(s *Sandbox) []string { return optional(*at(s)) }}
}

// choice is one of some words. The one that counts where none is given is not written.
func choice(section, key string, at func(*Sandbox) *string, words ...string) field {
	return unlessUsual(text(section, key, at, oneOf(key, words...)))
}

// unlessUsual is a key that is not written where its value is that which counts where none is given.
func unlessUsual(f field) field {
	get := f.get
	f.get = func(s *Sandbox) []string {
		if values := get(s); !slices.Equal(values, get(New(""))) {
			return values
		}
		return nil
	}
	return f
}

func list(section, key string, at func(*Sandbox) *[]string, check func(string) error) field {
	return field{section, key, true,
		func(s *Sandbox, v string) error {
			*at(s) = append(*at(s), v)
			if check == nil {
				return nil
			}
			return check(v)
		},
		func(s *Sandbox) []string { return *at(s) }}
}

func names(key string, at func(*Sandbox) *Names, parse func(string) (Names, error)) field {
	return field{"hardening", key, false,
		func(s *Sandbox, v string) (err error) { *at(s), err = parse(v); return err },
		func(s *Sandbox) []string {
			if text := at(s).String(); text != string(NamesAuto) {
				return optional(text)
			}
			return nil
		}}
}

func boolean(section, key string, at func(*Sandbox) *bool) field {
	return field{section, key, false,
		func(s *Sandbox, v string) (err error) { *at(s), err = scalar.Bool(v); return err },
		func(s *Sandbox) []string {
			if *at(s) {
				return []string{"yes"}
			}
			return nil
		}}
}

// enabled is a boolean that is on unless the config says otherwise; that it is on is not written.
func enabled(section, key string, at func(*Sandbox) *bool) field {
	f := boolean(section, key, at)
	f.get = func(s *Sandbox) []string {
		if *at(s) {
			return nil
		}
		return []string{"no"}
	}
	return f
}

func number(section, key string, at func(*Sandbox) *uint32) field {
	return field{section, key, false,
		func(s *Sandbox, v string) (err error) { *at(s), err = scalar.ID(v); return err },
		func(s *Sandbox) []string {
			if !s.Generic() && *at(s) == 0 {
				return nil
			}
			return []string{strconv.FormatUint(uint64(*at(s)), 10)}
		}}
}

func size(section, key string, at func(*Sandbox) *Size) field {
	return field{section, key, false,
		func(s *Sandbox, v string) (err error) {
			*at(s), err = ParseSize(v)
			return err
		},
		func(s *Sandbox) []string {
			if *at(s) == 0 && *at(New("")) == 0 {
				return nil
			}
			return []string{at(s).String()}
		}}
}

// tmpfs is a size that is not 0, which the kernel would take for no limit.
func tmpfs(section, key string, at func(*Sandbox) *Size) field {
	f := size(section, key, at)
	parse := f.set
	f.set = func(s *Sandbox, v string) error {
		if err := parse(s, v); err != nil {
			return err
		}
		if *at(s) == 0 {
			return fmt.Errorf(msgSize, v)
		}
		return nil
	}
	return f
}

func duration(section, key string, at func(*Sandbox) *time.Duration) field {
	return parsed(section, key, at, scalar.Duration, time.Duration.String)
}

func mount(kind MountKind) field {
	return field{"mounts", string(kind), true,
		func(s *Sandbox, v string) error {
			m, err := parseMountValue(kind, v)
			s.Mounts = append(s.Mounts, m)
			return err
		},
		func(s *Sandbox) (values []string) {
			for _, m := range s.Mounts {
				if m.Kind == kind {
					values = append(values, m.value())
				}
			}
			return values
		}}
}

func optional(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// known lists names for a message, each once and in the order of the format.
func known(names []string) string {
	var unique []string
	for i, name := range names {
		if i == 0 || names[i-1] != name {
			unique = append(unique, name)
		}
	}
	return strings.Join(unique, ", ")
}
