// SPDX-License-Identifier: Apache-2.0

// Package places names every place of the host that follows from the name of a sandbox, and keeps the state of one run
// in its runtime directory. In: a root directory, "" for the host's own, and a name that config.CheckName accepts. Out:
// paths, and the state of a run. It asks neither libvirt nor systemd. Whoever derives a path from a name calls it, so
// that what removes a sandbox cannot forget a place.
package places

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Root is the directory below which the host's files lie; "" is the host's own. Tests give a temporary one.
type Root string

// Places of all sandboxes, below the root.
const (
	runBase      = "/run/virt-sandbox"
	oneShotBase  = runBase + "/.one-shot" // no container has such a name
	machineBase  = "/run/libvirt-sandbox"
	libvirtState = "/run/libvirt/lxc"
	libvirtLogs  = "/var/log/libvirt/lxc"
)

// Prefixes of names below RunBase, none of which a sandbox's name has.
const (
	imagesPrefix   = ".images-"
	rootTreePrefix = ".root-"
	launchPrefix   = ".start-"
)

// RunBase holds what lives only as long as a container runs. It goes with the last container.
func (r Root) RunBase() string { return string(r) + runBase }

// OneShotBase holds the runtime directories of one-shots.
func (r Root) OneShotBase() string { return string(r) + oneShotBase }

// MachineBase holds the directories of virtual machines of root. It goes with the last of them.
func (r Root) MachineBase() string { return string(r) + machineBase }

// LibvirtState is where libvirt's LXC driver keeps files of each domain that runs.
func (r Root) LibvirtState() string { return string(r) + libvirtState }

// Of returns the places of a sandbox.
func (r Root) Of(name string) Sandbox { return Sandbox{root: r, name: name} }

// Sandbox are the places of one sandbox.
type Sandbox struct {
	root Root
	name string
}

// Run is the runtime directory of a container that stays.
func (s Sandbox) Run() RunDir { return s.runDir(s.root.RunBase()) }

// OneShot is the runtime directory of a one-shot.
func (s Sandbox) OneShot() RunDir { return s.runDir(s.root.OneShotBase()) }

// Machine is the directory of a virtual machine of root.
func (s Sandbox) Machine() RunDir { return s.runDir(s.root.MachineBase()) }

func (s Sandbox) runDir(base string) RunDir {
	return RunDir{path: filepath.Join(base, s.name), base: base, root: s.root}
}

// Content is where create puts the content, unless it is told otherwise.
func (s Sandbox) Content() string {
	return filepath.Join(string(s.root)+config.DefaultContentBase, s.name)
}

// Image is where create makes the image, unless it is told otherwise.
func (s Sandbox) Image(format config.ImageFormat) string {
	return filepath.Join(string(s.root)+config.DefaultImageBase, s.name+"."+string(format))
}

// RootTree is where the root of a container is put together: in a directory that only the helper and the container
// pass.
func (s Sandbox) RootTree() string {
	return filepath.Join(s.root.RunBase(), rootTreePrefix+s.name, "tree")
}

// Images has the note of which images the sandbox uses, and the mount points of those that it mounts.
func (s Sandbox) Images() string { return filepath.Join(s.root.RunBase(), imagesPrefix+s.name) }

// ImagesNames lists the sandboxes that have a directory of that kind.
func (r Root) ImagesNames() ([]string, error) {
	entries, err := os.ReadDir(r.RunBase())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, found := strings.CutPrefix(e.Name(), imagesPrefix); found {
			names = append(names, name)
		}
	}
	return names, nil
}

// Launch is where a launcher of the process number given listens.
func (s Sandbox) Launch(pid int) string {
	// No name of a sandbox has a plus sign.
	return filepath.Join(s.root.RunBase(), launchPrefix+s.name+"+"+strconv.Itoa(pid))
}

// Launches lists the directories of launchers, by their process numbers.
func (s Sandbox) Launches() (map[string]string, error) {
	prefix := launchPrefix + s.name + "+"
	entries, err := os.ReadDir(s.root.RunBase())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dirs := make(map[string]string)
	for _, e := range entries {
		if pid, found := strings.CutPrefix(e.Name(), prefix); found {
			dirs[pid] = filepath.Join(s.root.RunBase(), e.Name())
		}
	}
	return dirs, nil
}

// LibvirtState is a file that libvirt keeps of the domain while it runs, by its suffix, such as ".pid".
func (s Sandbox) LibvirtState(suffix string) string {
	return filepath.Join(s.root.LibvirtState(), s.name+suffix)
}

// LibvirtLog is libvirt's log of the domain.
func (s Sandbox) LibvirtLog() string { return filepath.Join(string(s.root)+libvirtLogs, s.name+".log") }

// Running counts the runtime directories of containers that stay.
func (r Root) Running() int {
	entries, err := os.ReadDir(r.RunBase())
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if config.CheckName(e.Name()) == nil {
			n++
		}
	}
	return n
}

// InRunBase calls put, which makes something below RunBase. Whoever ends the last container removes RunBase: of many
// that start and stop at once, one can take it away from under another, which then tries again.
func InRunBase(put func() error) error {
	var err error
	for range 100 {
		if err = put(); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return err
}

// LeaveRunBase removes RunBase where nothing is left in it.
func (r Root) LeaveRunBase() { _ = os.Remove(r.RunBase()) }
