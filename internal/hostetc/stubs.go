// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// unitDir is where units of the host lie that an administrator or create made, below /etc.
const unitDir = "systemd/system"

// maxStub is how long a unit file can be that create wrote, in bytes.
const maxStub = 64 << 10

// isOfUnits tells of the directories below unitDir, and of that itself.
func isOfUnits(p string) bool { return pathname.IsWithin(p, unitDir) }

// withoutStubs leaves out of a directory's names what is about units of the host that run sandboxes: no sandbox has a
// use for the others', and whoever makes or enables one would have made the /etc of all others an old one. It returns
// nil for a directory of links to such units alone, as systemctl makes it for the first.
func (s *scan) withoutStubs(dir *os.File, p string, names []name) []name {
	if !isOfUnits(p) {
		return append([]name{}, names...)
	}
	if p == unitDir {
		s.stubs = make(map[string]bool)
		for _, n := range names {
			if strings.HasSuffix(n.text, ".service") && isStub(dir, n.text) {
				s.stubs[n.text] = true
			}
		}
	}
	left := []name{}
	for _, n := range names {
		if !s.stubs[strings.TrimSuffix(n.text, ".d")] {
			left = append(left, n)
		}
	}
	if len(left) == 0 && len(names) > 0 && path.Ext(p) == ".wants" {
		return nil
	}
	return left
}

// isStub tells of the unit file of a sandbox. What cannot be read is none, and stays what the container sees or not.
func isStub(dir *os.File, name string) bool {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Openat(int(dir.Fd()), name, flags, 0)
	if err != nil {
		return false
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxStub))
	return err == nil && units.IsAnyStub(text)
}
