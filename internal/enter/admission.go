// SPDX-License-Identifier: Apache-2.0

package enter

// Admission is what a container may be entered with. It is noted while the container's first process is init and waits:
// later, root inside can trace that process, and have it join another user namespace and set its capabilities anew.
type Admission struct {
	Init     Process `json:"init"`
	Bounding uint64  `json:"bounding"` // set of capabilities, by the bits of their numbers
	Label    string  `json:"label"`    // SELinux context of the payload; empty where SELinux is off
	Profile  string  `json:"profile"`  // AppArmor profile of the payload; empty for none
	Filter   []byte  `json:"filter"`   // of system calls, as guest.Plan has it
}

// Target returns the container of a sandbox as one to enter. root is the host's number of the user that is root there,
// program is virt-sandbox-init on the host.
func (a Admission) Target(sandbox string, root uint32, program string) Target {
	return Target{
		Name: sandbox, Process: a.Init, Root: root, Bounding: a.Bounding, Label: a.Label, Profile: a.Profile,
		Filter: a.Filter, Program: program,
	}
}
