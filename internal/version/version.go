// SPDX-License-Identifier: Apache-2.0

// Package version has the version of all programs, in one place. A build of a release stamps it; each program's
// --version prints it. It imports next to nothing, since the monitors, which stay beside each container, are small.
package version

import "runtime/debug"

// stamped is set by the linker: -X github.com/virt-sandbox/virt-sandbox/internal/version.stamped=1.2.3.
var stamped string

// String returns the version that the build stamped. Without one, it is that of the module, or what the version control
// system says of the sources (runtime/debug.BuildInfo); "unknown" where that says nothing.
func String() string {
	if stamped != "" {
		return stamped
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// Line returns the line that a program prints for --version.
func Line(program string) string { return program + " version " + String() + "\n" }

// IsAsked reports whether --version is all that a program's arguments say (os.Args).
func IsAsked(args []string) bool { return len(args) == 2 && args[1] == "--version" }
