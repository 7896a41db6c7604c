// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
	"github.com/virt-sandbox/virt-sandbox/internal/proc"
)

// StateFiles are the files that libvirt's LXC driver keeps of each domain, some of which it leaves when it has ended.
// They tell of a container without libvirtd.
type StateFiles struct {
	root places.Root
	proc proc.Dir
}

// NewStateFiles returns those below a root directory; "" for the host's own.
func NewStateFiles(root string) StateFiles {
	return StateFiles{root: places.Root(root), proc: proc.Dir(root + string(proc.Host))}
}

// Controller opens the libvirt_lxc process of a domain by the file in which libvirt keeps its number; nil where it
// does not run.
func (f StateFiles) Controller(name string) (*proc.Process, error) {
	text, err := os.ReadFile(f.root.Of(name).LibvirtState(".pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the container's process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("find the container's process in %s.pid: %w", name, err)
	}
	controller, err := proc.Open(pid)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the container's process: %w", err)
	}
	// The file of one that was killed stays, and its number may be another's.
	arguments, err := f.proc.Arguments(pid)
	if err == nil && controlledDomain(arguments) == name {
		return controller, nil
	}
	defer controller.Close()
	if err != nil && !controller.Wait(0) {
		return nil, fmt.Errorf("look at the container's process: %w", err)
	}
	return nil, nil
}

// controlledDomain returns the name of the domain that a process with these arguments controls; "" where it is no
// libvirt_lxc.
func controlledDomain(arguments []string) string {
	at := slices.Index(arguments, "--name")
	if at < 1 || at+1 >= len(arguments) || filepath.Base(arguments[0]) != "libvirt_lxc" {
		return ""
	}
	return arguments[at+1]
}

// FirstProcess returns the number of the first process of the container that a libvirt_lxc controller runs: its child
// that is number 1 in its own PID namespace. Errors: proc.ErrNoFirst while there is no container yet, or no more.
func (f StateFiles) FirstProcess(controller int) (int, error) {
	// Looking at all processes for each container would cost hundreds of them the square of their number.
	if pid := f.notedFirst(controller); pid > 0 && f.proc.IsFirst(pid, controller) {
		return pid, nil
	}
	pid, err := f.proc.FindFirst(controller)
	if err != nil && !errors.Is(err, proc.ErrNoFirst) {
		return 0, fmt.Errorf("look for the container's first process: %w", err)
	}
	return pid, err
}

// OpenFirst opens the process of FirstProcess. Errors: proc.ErrNoFirst, and unix.ESRCH for one that has just ended.
func (f StateFiles) OpenFirst(controller int) (*proc.Process, error) {
	pid, err := f.FirstProcess(controller)
	if err != nil {
		return nil, err
	}
	return proc.Open(pid)
}

// notedFirst returns the first process that libvirt notes in the state of a domain, once its controller has told it; 0
// where it has not.
func (f StateFiles) notedFirst(controller int) int {
	arguments, err := f.proc.Arguments(controller)
	if err != nil {
		return 0
	}
	name := controlledDomain(arguments)
	if config.CheckName(name) != nil {
		return 0
	}
	state, err := os.Open(f.root.Of(name).LibvirtState(".xml"))
	if err != nil {
		return 0
	}
	defer state.Close()
	return parseInit(state)
}

// parseInit reads the number of the first process from the state of a domain; 0 for none.
func parseInit(state io.Reader) int {
	for tokens := xml.NewDecoder(state); ; {
		token, err := tokens.Token()
		if err != nil {
			return 0
		}
		element, begins := token.(xml.StartElement)
		switch {
		case begins && element.Name.Local == "init":
			for _, a := range element.Attr {
				if pid, err := strconv.Atoi(a.Value); err == nil && a.Name.Local == "pid" {
					return max(pid, 0)
				}
			}
			return 0
		case begins && element.Name.Local == "domain":
			// The long part, which follows.
			return 0
		}
	}
}

// RemoveState removes what libvirt keeps of the run of a domain that ended without it. A libvirtd that comes later
// would take it for one that is being started, and refuse the next start.
func (f StateFiles) RemoveState(name string) error {
	for _, suffix := range []string{".xml", ".pid"} {
		if err := os.Remove(f.root.Of(name).LibvirtState(suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what libvirt keeps of the run: %w", err)
		}
	}
	return nil
}

// RemoveMountPoints removes the directories that libvirt's controller mounted things on, and its socket. What is still
// in use stays.
func (f StateFiles) RemoveMountPoints(name string) error {
	at := f.root.Of(name)
	for _, suffix := range []string{".dev", ".devpts", ".fuse"} {
		err := unix.Rmdir(at.LibvirtState(suffix))
		if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.ENOTEMPTY) {
			return fmt.Errorf("remove what libvirt left in %s: %w", f.root.LibvirtState(), err)
		}
	}
	if err := os.Remove(at.LibvirtState(".sock")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what libvirt left: %w", err)
	}
	return nil
}

// RemoveLog removes libvirt's log of a domain that will not come back.
func (f StateFiles) RemoveLog(name string) error {
	if err := os.Remove(f.root.Of(name).LibvirtLog()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove libvirt's log: %w", err)
	}
	return nil
}
