// SPDX-License-Identifier: Apache-2.0

// Package field has errors of libraries name the options of a caller by the field of a Go struct that holds them: a
// library knows no command line. In: a format and its arguments, Names among them; out: an error whose text a program
// can ask for with its own words for the fields, such as -l. Libraries make the errors; only the programs in cmd ask
// for other words.
package field

import (
	"fmt"
	"strings"
)

// Name is a field of the options of helper or sandbox. As text it is the field's name in Go.
type Name string

// The fields of helper's options that errors name.
const (
	Units        Name = "Units"
	Packages     Name = "Packages"
	Command      Name = "Command"
	Level        Name = "Level"
	Security     Name = "Security"
	Share        Name = "Share"
	FileType     Name = "FileType"
	Base         Name = "Base"
	Include      Name = "Include"
	Mounts       Name = "Mounts"
	Networks     Name = "Interfaces"
	Capabilities Name = "Capabilities"
	SystemCalls  Name = "SystemCalls"
	IDMap        Name = "IDMap"
	Template     Name = "Template"
	DropIn       Name = "DropIn"
	ImageSize    Name = "Image.Size"
	ImageFormat  Name = "Image.Format"
	ImageFS      Name = "Image.FS"
	Disks        Name = "Disks"
	Freeze       Name = "Freeze"
	Trust        Name = "Trust"
	Follow       Name = "Follow"
	Lines        Name = "Lines"
	Output       Name = "Output"
	Since        Name = "Since"
	Until        Name = "Until"
)

// The fields that only sandbox's options have.
const (
	Environment   Name = "Environment"
	User          Name = "User"
	Privileged    Name = "Privileged"
	Root          Name = "Root"
	ReadWrite     Name = "ReadWrite"
	Timeout       Name = "Timeout"
	KernelVersion Name = "Kernel.Version"
	KernelPath    Name = "Kernel.Path"
	KernelModules Name = "Kernel.Modules"
)

// Setting is a field with the value that a caller gave it, or what stands for that where none was given.
type Setting struct {
	Name  Name // empty for a value that comes from elsewhere
	Value string
}

// String returns the field's name in Go and the value.
func (s Setting) String() string { return s.text(Name.String) }

func (s Setting) text(called func(Name) string) string {
	if s.Name == "" {
		return s.Value
	}
	return called(s.Name) + " " + s.Value
}

// String returns the field's name in Go.
func (n Name) String() string { return string(n) }

// Error is an error whose text names fields.
type Error struct {
	format string
	args   []any
	err    error // what fmt.Errorf makes of the two
}

// Errorf is fmt.Errorf for a text that names fields: those of the arguments of type Name.
func Errorf(format string, args ...any) error {
	return &Error{format, args, fmt.Errorf(format, args...)}
}

// Error returns the text with the fields' names in Go.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the errors that Errorf got for %w.
func (e *Error) Unwrap() error { return e.err }

func (e *Error) text(called func(Name) string) string {
	args := make([]any, len(e.args))
	for i, arg := range e.args {
		args[i] = Rename(arg, called)
	}
	return fmt.Sprintf(strings.ReplaceAll(e.format, "%w", "%v"), args...)
}

// Rename returns what stands for an argument of a text in the words of called: those of a field or a setting, and the
// Text of an error. Everything else is returned as it is.
func Rename(arg any, called func(Name) string) any {
	switch arg := arg.(type) {
	case Name:
		return called(arg)
	case Setting:
		return arg.text(called)
	case error:
		return Text(arg, called)
	}
	return arg
}

// Text returns the text of an error in which called has named the fields, those of the errors that it wraps too. It
// relies on an error's text having that of what it wraps, as fmt.Errorf's and errors.Join's have.
func Text(err error, called func(Name) string) string {
	text := err.Error()
	for _, named := range find(err) {
		text = strings.Replace(text, named.Error(), named.text(called), 1)
	}
	return text
}

// find lists the outermost errors of a tree that name fields.
func find(err error) []*Error {
	if named, ok := err.(*Error); ok { //nolint:errorlint // The tree is walked here.
		return []*Error{named}
	}
	var list []*Error
	switch wrapper := err.(type) { //nolint:errorlint // The same.
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			list = find(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			list = append(list, find(inner)...)
		}
	}
	return list
}
