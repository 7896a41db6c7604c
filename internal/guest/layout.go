// SPDX-License-Identifier: Apache-2.0

package guest

// Where an initrd has its files, and a virtual machine's root then too. The list has a line for each kind of use: its
// name, then the modules in the order in which they are to be loaded; those with ModuleOptional before their names may
// fail.
const (
	MachineInit    = "/init" // what the kernel executes, a link to ProgramFile
	ModuleDir      = "/run/host/modules"
	ModuleList     = "/run/host/modules.list"
	ModprobeFile   = "/run/host/modprobe" // what the kernel executes to get a module, a link to ProgramFile
	ModulesAtStart = "start"
	ModuleOptional = "?"
)
