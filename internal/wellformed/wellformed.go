// SPDX-License-Identifier: Apache-2.0

// Package wellformed tells which texts can be names: of sandboxes, units, packages, users and the like. In: a text.
// Out: whether it can be one. Package config calls it for what configs say.
package wellformed

import (
	"strings"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// MaxName is the longest name of a sandbox, which also is a hostname (hostname(7)).
const MaxName = 63

func isDigit(text string) bool { return text != "" && ascii.IsDigit(text[0]) }

// IsSandbox reports whether text can be the name of a sandbox: a name, or TEMPLATE@INSTANCE of two.
func IsSandbox(text string) bool {
	template, instance, isInstance := strings.Cut(text, "@")
	return len(text) <= MaxName && IsName(template) && (!isInstance || IsName(instance))
}

// Hostname returns the name that a sandbox has inside and tells servers: a hostname has no "@" (hostname(7)).
func Hostname(sandbox string) string { return strings.ReplaceAll(sandbox, "@", "-") }

// IsName reports whether text can be the name of a sandbox or of a part of that, or the tag of a disk.
func IsName(text string) bool {
	return len(text) <= MaxName && ascii.Begins(text, "") && ascii.Consists(text, "_.-") && !strings.Contains(text, "..")
}

// IsUnit reports whether text is the name of a unit that a container can run, as narrow as configs have it: it neither
// is hidden in a directory, nor has a second "@".
func IsUnit(text string) bool {
	unit, err := unitname.Parse(text)
	return err == nil && unit.Type().Runs() && text[0] != '.' && !strings.Contains(unit.Instance(), "@")
}

// IsUUID reports whether text is a UUID in its usual form (RFC 9562).
func IsUUID(text string) bool {
	id, err := uuid.Parse(text)
	return err == nil && id.String() == text
}

// IsPackage reports whether text can be the name of an RPM or deb package.
func IsPackage(text string) bool { return ascii.Begins(text, "") && ascii.Consists(text, "+_.:~-") }

// IsSystemCall reports whether text can be the name of a system call.
func IsSystemCall(text string) bool {
	return ascii.Consists(text, "_") && text == strings.ToLower(text) && !isDigit(text)
}

// IsVariable reports whether text can be the name of an environment variable.
func IsVariable(text string) bool { return ascii.Consists(text, "_") && !isDigit(text) }

// IsUser reports whether text can be the name of a user.
func IsUser(text string) bool {
	return ascii.Begins(text, "_") && ascii.Consists(strings.TrimSuffix(text, "$"), "_.-")
}

// IsProfile reports whether text can be the name of an AppArmor profile.
func IsProfile(text string) bool { return ascii.Begins(text, "_/") && ascii.Consists(text, "_./:@+-") }

// IsMachineID reports whether text is a machine ID (machine-id(5)).
func IsMachineID(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdef") == ""
}

// IsDirective reports whether text can be the name of a directive of systemd.
func IsDirective(text string) bool {
	return ascii.Consists(text, "") && text[0] >= 'A' && text[0] <= 'Z'
}

// IsOrigin reports whether text can be why a path is private.
func IsOrigin(text string) bool {
	kind, of, found := strings.Cut(text, ":")
	switch kind {
	case "admin":
		return !found
	case "package", "unit", "tmpfiles", "user", "script", "named", "link":
		return ascii.Consists(of, `@+_.:~/\-`)
	}
	return false
}
