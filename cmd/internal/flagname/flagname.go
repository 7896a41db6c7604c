// SPDX-License-Identifier: Apache-2.0

// Package flagname knows which option of the command line sets which field of the libraries' options. In: errors and
// warnings of helper and sandbox; out: their text in the words of who typed the command. Only the programs in cmd call
// it.
package flagname

import (
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/field"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Of returns the option that sets a field. A field means the same in all programs that have an option for it.
func Of(name field.Name) string {
	switch name {
	case field.Units:
		return "-u"
	case field.Packages:
		return "-P"
	case field.Command:
		return "after --"
	case field.Level:
		return "-l"
	case field.Security:
		return "-s"
	case field.Share:
		return "--share-level"
	case field.FileType, field.Follow:
		return "-f"
	case field.Base, field.Privileged:
		return "-p"
	case field.Include:
		return "--include"
	case field.Mounts:
		return "-m"
	case field.Networks:
		return "-N"
	case field.Capabilities:
		return "--capabilities"
	case field.SystemCalls:
		return "--system-calls"
	case field.DropIn:
		return "--drop-in"
	case field.Template:
		return "--template"
	case field.IDMap:
		return "--idmap"
	case field.ImageSize:
		return "-i"
	case field.ImageFormat:
		return "--image-format"
	case field.ImageFS:
		return "--image-fs"
	case field.Disks:
		return "--disk"
	case field.Freeze:
		return "--freeze"
	case field.Trust:
		return "--trust"
	case field.Lines:
		return "-n"
	case field.Output:
		return "-o"
	case field.Since:
		return "--since"
	case field.Until:
		return "--until"
	case field.Environment:
		return "-e"
	case field.User:
		return "-S"
	case field.Root:
		return "--root"
	case field.ReadWrite:
		return "--read-write"
	case field.Timeout:
		return "--timeout"
	case field.KernelVersion:
		return "--kernver"
	case field.KernelPath:
		return "--kernpath"
	case field.KernelModules:
		return "--kmodpath"
	}
	return string(name)
}

// Text returns the text of an error, which may have several lines, without control characters: it may quote what was
// typed or read.
func Text(err error) string { return printable.Text(field.Text(err, Of)) }

// Sprintf formats what a library tells a person, without control characters.
func Sprintf(format string, args ...any) string {
	renamed := make([]any, len(args))
	for i, arg := range args {
		renamed[i] = field.Rename(arg, Of)
	}
	return printable.Text(fmt.Sprintf(format, renamed...))
}
