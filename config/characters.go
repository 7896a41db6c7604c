// SPDX-License-Identifier: Apache-2.0

package config

import (
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

func isDigit(text string) bool { return text != "" && ascii.IsDigit(text[0]) }

func isName(text string) bool {
	return len(text) <= maxName && ascii.Begins(text, "") && ascii.Consists(text, "_.-") && !strings.Contains(text, "..")
}

// isUnit reports whether text is the name of a unit that a container can run, as narrow as configs have it: it neither
// is hidden in a directory, nor has a second "@".
func isUnit(text string) bool {
	unit, err := unitname.Parse(text)
	return err == nil && unit.Type().Runs() && text[0] != '.' && !strings.Contains(unit.Instance(), "@")
}

func isPackage(text string) bool { return ascii.Begins(text, "") && ascii.Consists(text, "+_.:~-") }

func isSystemCall(text string) bool {
	return ascii.Consists(text, "_") && text == strings.ToLower(text) && !isDigit(text)
}

func isVariable(text string) bool { return ascii.Consists(text, "_") && !isDigit(text) }

func isUser(text string) bool {
	return ascii.Begins(text, "_") && ascii.Consists(strings.TrimSuffix(text, "$"), "_.-")
}

func isProfile(text string) bool { return ascii.Begins(text, "_/") && ascii.Consists(text, "_./:@+-") }

func isMachineID(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdef") == ""
}

func isDirective(text string) bool {
	return ascii.Consists(text, "") && text[0] >= 'A' && text[0] <= 'Z'
}

func isOrigin(text string) bool {
	kind, of, found := strings.Cut(text, ":")
	switch kind {
	case "admin":
		return !found
	case "package", "unit", "tmpfiles", "user", "script", "named", "link":
		return ascii.Consists(of, `@+_.:~/\-`)
	}
	return false
}

// isNetworkName tells of names of libvirt's networks and filters that a part of an interface can hold.
func isNetworkName(text string) bool {
	return len(text) <= maxNetworkName && ascii.Begins(text, "_") && ascii.Consists(text, "_.:+@-")
}

// isDevice tells of names of network interfaces, of which the kernel takes 15 characters.
func isDevice(text string) bool {
	return len(text) <= 15 && ascii.Begins(text, "_") && ascii.Consists(text, "_.-")
}
