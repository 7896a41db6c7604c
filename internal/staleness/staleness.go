// SPDX-License-Identifier: Apache-2.0

// Package staleness finds what of a running container is older than the host: processes that execute files which the
// host has replaced or removed since. In: the numbers of processes, and package databases; out: processes with files,
// packages and units. It looks from outside only, and costs a container nothing. The verb needs-restart calls it.
package staleness

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Process is one that executes files which are not the host's any more.
type Process struct {
	PID      int      `json:"pid"`            // of the host
	Name     string   `json:"name"`           // of the program, as the process calls itself
	Unit     string   `json:"unit,omitempty"` // inside; empty for none
	Files    []string `json:"files"`          // as they were called
	Packages []string `json:"packages"`       // that own the files of these names now
}

// Report is why a container ought to be restarted.
type Report struct {
	Sandbox   string    `json:"name"`
	Processes []Process `json:"processes"`
	EtcIsOld  bool      `json:"etc_is_old"` // it sees the host's /etc as it was at the start
	Config    []string  `json:"config"`     // lines of its config that only a start makes count
	Halted    bool      `json:"halted"`     // it stands still, so that its units cannot be restarted
	Error     string    `json:"error,omitempty"`
}

// IsStale reports whether there is anything that a restart would change.
func (r *Report) IsStale() bool { return len(r.Processes) > 0 || r.EtcIsOld || len(r.Config) > 0 }

// Reason returns a word that is another one for whatever else is old; "" where nothing is. Which processes of a unit
// execute the old files is no other reason: servers end and begin them all the time.
func (r *Report) Reason() string {
	if !r.IsStale() {
		return ""
	}
	said := []string{strconv.FormatBool(r.EtcIsOld)}
	for _, p := range r.Processes {
		said = append(said, p.Unit+"\n"+strings.Join(slices.Sorted(slices.Values(p.Files)), "\n"))
	}
	slices.Sort(said)
	said = append(slices.Compact(said), r.Config...)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(said, "\n\n"))))
}

// Units returns the units inside whose restart makes everything new; none where only that of the container does.
// own are those of the sandbox: others, such as what the systemd inside runs for itself, are left to the container.
func (r *Report) Units(own []string) []string {
	if r.EtcIsOld || len(r.Config) > 0 {
		return nil
	}
	var units []string
	for _, p := range r.Processes {
		if !slices.Contains(own, p.Unit) {
			return nil
		}
		if !slices.Contains(units, p.Unit) {
			units = append(units, p.Unit)
		}
	}
	return units
}

// Bounds of what is kept of a container, which can have as many processes and mappings as its limits allow.
const (
	maxFiles = 100     // of a process
	maxMaps  = 4 << 20 // bytes that are read of one process
	maxWord  = 256     // bytes
)

// Proc looks at processes below a directory such as /proc.
type Proc string

// Find returns those of some processes that execute files below /usr which were replaced or removed, in the order of
// their numbers. Those that end meanwhile are left out.
func (d Proc) Find(ctx context.Context, pids []int) ([]Process, error) {
	found := []Process{}
	for _, pid := range slices.Sorted(slices.Values(pids)) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("look at what processes execute: %w", err)
		}
		files, err := d.replaced(pid)
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			continue
		}
		p := Process{PID: pid, Files: files, Packages: []string{}, Unit: d.unitOf(pid)}
		name, _ := os.ReadFile(d.file(pid, "comm"))
		p.Name = printable.Short(strings.TrimSpace(string(name)), maxWord)
		found = append(found, p)
	}
	return found, nil
}

func (d Proc) file(pid int, name string) string {
	return filepath.Join(string(d), strconv.Itoa(pid), name)
}

// deleted is what the kernel adds to the name of a file that is not there under it any more (proc(5)).
const deleted = " (deleted)"

// replaced lists the files below /usr, each once, that a process executes and that are not there under their names.
// Containers have the host's /usr, and nothing of their own there.
func (d Proc) replaced(pid int) ([]string, error) {
	maps, err := os.Open(d.file(pid, "maps"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at what a process executes: %w", err)
	}
	defer maps.Close()
	var files []string
	scanner := bufio.NewScanner(maps)
	scanner.Buffer(nil, maxMaps) // names may be longer than PATH_MAX
	for read := 0; scanner.Scan() && read < maxMaps && len(files) < maxFiles; {
		line := scanner.Bytes()
		read += len(line)
		if !bytes.HasSuffix(line, []byte(deleted)) {
			continue
		}
		// address permissions offset device inode name
		fields := strings.SplitN(string(line), " ", 6)
		if len(fields) < 6 || !strings.Contains(fields[1], "x") {
			continue
		}
		name := strings.TrimSuffix(strings.TrimLeft(fields[5], " "), deleted)
		if strings.HasPrefix(name, "/usr/") && path.Clean(name) == name && !slices.Contains(files, name) {
			files = append(files, printable.Short(name, maxWord))
		}
	}
	_ = scanner.Err() // of a process that has ended, which has nothing that is old
	return files, nil
}

// unitOf returns the unit inside that a process belongs to, by the name of its cgroup: the innermost service.
func (d Proc) unitOf(pid int) (unit string) {
	text, _ := os.ReadFile(d.file(pid, "cgroup"))
	for line := range strings.Lines(string(text)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if strings.HasSuffix(part, ".service") {
				unit = printable.Short(part, maxWord)
			}
		}
	}
	return unit
}

// name adds to processes the packages that own their files.
func (h Host) name(ctx context.Context, processes []Process) error {
	var files []string
	for _, p := range processes {
		for _, f := range p.Files {
			if !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	owners := make(map[string][]string)
	for _, db := range h.Packages {
		found, err := db.Owners(ctx, files...)
		if err != nil {
			return err
		}
		for file, names := range found {
			owners[file] = append(owners[file], names...)
		}
	}
	for i, p := range processes {
		for _, f := range p.Files {
			for _, name := range owners[f] {
				if !slices.Contains(processes[i].Packages, name) {
					processes[i].Packages = append(processes[i].Packages, name)
				}
			}
		}
	}
	return nil
}
