// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/bytesize"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Size is a number of bytes.
type Size = bytesize.Size

// ParseSize reads a number with an optional binary suffix K, M, G or T.
func ParseSize(text string) (Size, error) {
	size, ok := bytesize.Parse(text)
	if !ok {
		return 0, fmt.Errorf(msgSize, text)
	}
	return size, nil
}

// CheckValue reports whether a key of virt-sandbox.config(5) can have a value, as far as that can be told without the
// rest of a config.
func CheckValue(section, key, value string) error {
	f := theFormat()
	i, known := f.index[keyName{Section: section, Key: key}]
	if !known {
		return fmt.Errorf("%s has no key %s=", section, key)
	}
	if err := f.fields[i].set(New(""), value); err != nil {
		return fmt.Errorf("%s=: %w", key, err)
	}
	return nil
}

// CheckName reports whether name may become part of a path, a unit name and a domain name.
func CheckName(name string) error {
	if !wellformed.IsSandbox(name) {
		return fmt.Errorf(msgName, name)
	}
	return nil
}

// CheckPath reports whether p is absolute and clean, so that it means what it says.
func CheckPath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || textmerge.HasControl(p) {
		return fmt.Errorf(msgPath, p)
	}
	return nil
}

// CheckContent reports whether dir can hold content: all containers see what lies below the directories of programs.
func CheckContent(dir string) error {
	if err := CheckPath(dir); err != nil {
		return err
	}
	top, _, nested := strings.Cut(dir[1:], "/")
	switch top {
	case "usr", "opt", "etc", "dev", "proc", "sys", "bin", "sbin", "lib", "lib64":
		nested = false
	}
	if !nested {
		return fmt.Errorf(msgContent, dir)
	}
	return nil
}

// CheckUnit reports whether unit is the full name of a unit (systemd.unit(5)) that a container can run.
func CheckUnit(unit string) error {
	if !wellformed.IsUnit(unit) {
		return fmt.Errorf(msgUnit, unit)
	}
	if name, err := unitname.Parse(unit); err == nil && name.IsTemplate() {
		return fmt.Errorf(msgUnitTemplate, unit)
	}
	return nil
}

// CheckPackage reports whether name can be the name of an RPM or deb package.
func CheckPackage(name string) error { return match(wellformed.IsPackage, name, msgPackage) }

// CheckVariable reports whether name can be that of an environment variable.
func CheckVariable(name string) error { return match(wellformed.IsVariable, name, msgVariable) }

// CheckUser reports whether name can be that of a user.
func CheckUser(name string) error { return match(wellformed.IsUser, name, msgUser) }

// ParseMount reads the TYPE:DST=SRC of a -m option.
func ParseMount(option string) (Mount, error) {
	kind, rest, _ := strings.Cut(option, ":")
	if err := oneOf("mount type", MountKinds()...)(kind); err != nil {
		return Mount{}, err
	}
	return parseMountValue(MountKind(kind), rest)
}

func parseMountValue(kind MountKind, value string) (Mount, error) {
	target, text, found := strings.Cut(value, "=")
	mount, described := Mount{Kind: kind, Target: target}, kind.describe()
	if !found || CheckPath(target) != nil || !described.read(&mount, text) {
		return Mount{}, fmt.Errorf(described.form, value)
	}
	if kind.ShowsInside() && (pathname.IsWithin(target, mount.Source) || pathname.IsWithin(mount.Source, target)) {
		return Mount{}, fmt.Errorf(msgGuestBindLoop, value)
	}
	switch target {
	case "/", "/usr", "/dev", "/proc", "/sys", "/run", "/run/host", "/var", "/etc", "/etc/systemd/system":
		return Mount{}, fmt.Errorf(msgMountTarget, target)
	}
	return mount, nil
}

func (m Mount) value() string { return m.Target + "=" + m.Kind.describe().text(m) }

// oneOf checks that a value is one of some words.
func oneOf[T ~string](key string, words ...T) func(string) error {
	return func(text string) error {
		if !slices.Contains(words, T(text)) {
			list := strings.Trim(fmt.Sprint(words), "[]")
			return fmt.Errorf(msgChoice, key, text, strings.ReplaceAll(list, " ", ", "))
		}
		return nil
	}
}

func checkMachineID(id string) error { return match(wellformed.IsMachineID, id, msgMachineID) }
func checkUUID(id string) error      { return match(wellformed.IsUUID, id, msgUUID) }

func parsePrivate(text string) (PrivatePath, error) {
	origin, p, found := strings.Cut(text, " ")
	if !found || !wellformed.IsOrigin(origin) || CheckPath(p) != nil || strings.Count(p, "/") < 2 {
		return PrivatePath{}, fmt.Errorf(msgPrivate, text)
	}
	return PrivatePath{Path: p, Origin: origin}, nil
}

func match(is func(string) bool, text, message string) error {
	if !is(text) {
		return fmt.Errorf(message, text)
	}
	return nil
}
