// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"os"
	"path"
	"slices"
	"strings"
)

// confining are the directives that keep a service from what the unit of a container does: it mounts, reads and writes
// the host's files, enters namespaces, and runs as root.
func confining() []string {
	return []string{
		"AmbientCapabilities", "BindPaths", "BindReadOnlyPaths", "CapabilityBoundingSet", "DynamicUser", "ExecPaths", "Group",
		"InaccessiblePaths", "MemoryDenyWriteExecute", "MountFlags", "NoExecPaths", "NoNewPrivileges", "PrivateDevices",
		"PrivateIPC", "PrivateMounts", "PrivateNetwork", "PrivateTmp", "PrivateUsers", "ProcSubset", "ProtectClock",
		"ProtectControlGroups", "ProtectHome", "ProtectKernelTunables", "ProtectProc", "ProtectSystem", "ReadOnlyPaths",
		"RestrictAddressFamilies", "RestrictFileSystems", "RestrictNamespaces", "RestrictSUIDSGID", "RootDirectory",
		"RootImage", "SystemCallFilter", "TemporaryFileSystem", "User",
	}
}

// Confinement is a drop-in of the administrator's for all services of the host that sets directives by which they are
// confined.
type Confinement struct {
	File       string
	Directives []string
}

// Confinements returns the drop-ins for all services that would confine the unit of a container too. What cannot be
// read is none.
func (r Root) Confinements() []Confinement {
	var all []Confinement
	for _, dir := range []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"} {
		dir = path.Join(dir, "service.d")
		entries, _ := os.ReadDir(string(r) + dir)
		for _, e := range entries {
			text, err := os.ReadFile(path.Join(string(r)+dir, e.Name()))
			if path.Ext(e.Name()) != ".conf" || err != nil {
				continue
			}
			c := Confinement{File: path.Join(dir, e.Name())}
			options, _ := parse(string(text), sectionsOf("d.service"))
			for _, o := range options {
				if o.section == "Service" && slices.Contains(confining(), o.name) && !slices.Contains(c.Directives, o.name) {
					c.Directives = append(c.Directives, o.name)
				}
			}
			if len(c.Directives) > 0 {
				slices.SortFunc(c.Directives, strings.Compare)
				all = append(all, c)
			}
		}
	}
	return all
}
