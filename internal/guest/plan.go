// SPDX-License-Identifier: Apache-2.0

// Package guest is what virt-sandbox-init does as the first program of a container: what XML cannot express, then the
// payload. In: a Plan, written by the helper and mounted in; out: a running systemd or command, or a line on the
// console that says why not. It links neither libvirt nor cgo.
package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/virt-sandbox/virt-sandbox/internal/health"
)

// Program is the file name of the container's first program.
const Program = "virt-sandbox-init"

// ProgramFile is where a container finds it.
const ProgramFile = "/run/host/" + Program

// PlanFile is where a container finds its plan.
const PlanFile = "/run/host/sandbox.json"

// planFormat is the number of the format of the plan. Who writes a plan and who reads it are of one package, but that
// may be replaced between the two: a change of the format has another number, so that no plan is taken for another.
// testdata/plan.keys has the keys that belong to this number.
const planFormat = 2

// Plan is what the helper asks of the container's first program.
type Plan struct {
	Name       string   `json:"name"` // hostname and name of the cgroup
	UUID       string   `json:"uuid"`
	BootTarget string   `json:"boot_target,omitempty"` // systemd boots to it; empty for a command
	Units      []string `json:"units,omitempty"`       // what it is for
	// RuntimeUnits are files below /run/systemd/system, by their names there.
	RuntimeUnits map[string]string `json:"runtime_units,omitempty"`
	Health       *health.Check     `json:"health,omitempty"` // nil for none

	Command     []string `json:"command,omitempty"`
	UID         uint32   `json:"uid,omitempty"`
	GID         uint32   `json:"gid,omitempty"`
	Groups      []uint32 `json:"groups,omitempty"`
	Environment []string `json:"environment,omitempty"` // NAME=VALUE
	Directory   string   `json:"directory,omitempty"`
	Console     bool     `json:"console,omitempty"` // the command is called by ConsoleSocket
	Shell       bool     `json:"shell,omitempty"`   // root has a shell on ShellTerminal
	Disks       []Disk   `json:"disks,omitempty"`
	Proc        []string `json:"proc,omitempty"` // files of lxcfs that take the places of those below /proc
	ReadOnly    bool     `json:"read_only_kernel,omitempty"`
	Hide        bool     `json:"hide_kernel,omitempty"`
	Mapped      bool     `json:"mapped,omitempty"`  // its ids are, in a user namespace
	Label       string   `json:"label,omitempty"`   // SELinux context of the payload where it is not that of its set-up
	Profile     string   `json:"profile,omitempty"` // AppArmor profile of the payload where libvirt has not set one
	Drop        []uint32 `json:"drop,omitempty"`    // capabilities that it is made with and the payload has not, by number
	SystemCalls []byte   `json:"filter,omitempty"`  // for the payload, by package syscallfilter
	Machine     *Machine `json:"machine,omitempty"` // what a virtual machine is made of; nil in a container

	Ignored []syscall.Signal `json:"ignored,omitempty"` // by the command, from its start
}

// Disk is a block device by its tag.
type Disk struct {
	Tag    string `json:"tag"`
	Device string `json:"device"` // below /dev
}

// planFile is a plan as JSON: what need not be UTF-8, which JSON is, becomes bytes.
type planFile struct {
	Format int `json:"format"`
	Plan
	Command     [][]byte `json:"command,omitempty"`
	Environment [][]byte `json:"environment,omitempty"`
}

// Encode returns the plan as ReadPlan reads it from a file.
func (p *Plan) Encode() ([]byte, error) {
	file := planFile{planFormat, *p, convert[[]byte](p.Command), convert[[]byte](p.Environment)}
	data, err := json.MarshalIndent(file, "", "\t")
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	return data, nil
}

// Write puts the plan where ReadPlan finds it. It may have secrets, in its environment: only root reads it, on the host
// and inside, where root's group has the number given on the host.
func (p *Plan) Write(file string, group uint32) error {
	data, err := p.Encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	if group != 0 {
		err = errors.Join(f.Chown(-1, int(group)), f.Chmod(0o640))
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write plan: %w", err)
	}
	return nil
}

// ReadPlan reads what Write wrote. It refuses a plan of another format, and one with keys that are not ours: what they
// ask for would be left out in silence.
func ReadPlan(file string) (*Plan, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	var said struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, fmt.Errorf("read plan %s: %w", file, err)
	}
	const advice = "virt-sandbox was replaced by another version meanwhile; start it again"
	if said.Format != planFormat {
		return nil, fmt.Errorf("read plan %s: it has format %d, and this program knows %d: %s", file, said.Format,
			planFormat, advice)
	}
	var f planFile
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return nil, fmt.Errorf("read plan %s: %w: %s", file, err, advice)
	}
	f.Plan.Command, f.Plan.Environment = convert[string](f.Command), convert[string](f.Environment)
	return &f.Plan, nil
}

func convert[To, From string | []byte](list []From) []To {
	var converted []To
	for _, item := range list {
		converted = append(converted, To(item))
	}
	return converted
}
