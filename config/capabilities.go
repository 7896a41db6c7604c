// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"

	"github.com/virt-sandbox/virt-sandbox/internal/capability"
	"github.com/virt-sandbox/virt-sandbox/internal/nameset"
	"github.com/virt-sandbox/virt-sandbox/internal/wellformed"
)

// Names is a set of names that a key of [hardening] takes: what it begins with, and what is added and taken away.
type Names = nameset.Set

// The bases of Names: nothing, what a container of its kind needs, or all that it could have.
const (
	NamesNone = nameset.None
	NamesAuto = nameset.Auto
	NamesAll  = nameset.All
)

// ParseCapabilities reads auto or all, followed by names with + and -, or only names, of capabilities(7): those that
// processes of the container can ever have.
func ParseCapabilities(text string) (Names, error) {
	return parseNames(text, msgCapabilities, msgCapability,
		func(name string) bool { return slices.Contains(capability.Names(), name) })
}

// ParseSystemCalls reads the same of names of system calls: those that processes of the container can make. Whether the
// host knows a name is seen when it is needed: that depends on its architecture.
func ParseSystemCalls(text string) (Names, error) {
	return parseNames(text, msgSystemCalls, msgSystemCall, wellformed.IsSystemCall)
}

func parseNames(text, form, unknown string, isName func(string) bool) (Names, error) {
	names, err := nameset.Parse(text, func(name string) error {
		if !isName(name) {
			return fmt.Errorf(unknown, name)
		}
		return nil
	})
	var twice nameset.TwiceError
	switch {
	case errors.Is(err, nameset.ErrForm):
		err = fmt.Errorf(form, text)
	case errors.As(err, &twice):
		err = fmt.Errorf(msgNameTwice, string(twice))
	}
	return names, err
}
