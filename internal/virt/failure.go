// SPDX-License-Identifier: Apache-2.0

package virt

import (
	"errors"

	"libvirt.org/go/libvirt"
)

// Errors that libvirt's failures are for errors.Is.
var (
	// ErrNoDomain says that libvirt has no domain of the name, or no more.
	ErrNoDomain = errors.New("libvirt has no such domain")
	// ErrTaken says that another domain has the name.
	ErrTaken = errors.New("libvirt has a domain of the name")
)

// failure is an error of libvirt's without the numbers around its message.
type failure struct{ reported libvirt.Error }

func (f *failure) Error() string { return f.reported.Message }

// Is implements what errors.Is asks for.
func (f *failure) Is(target error) bool {
	switch target {
	case ErrNoDomain:
		return f.reported.Code == libvirt.ERR_NO_DOMAIN
	case ErrTaken:
		return f.reported.Code == libvirt.ERR_OPERATION_FAILED || f.reported.Code == libvirt.ERR_DOM_EXIST
	}
	return false
}

// plain takes the numbers from an error of libvirt's, and leaves others as they are.
func plain(err error) error {
	var reported libvirt.Error
	if errors.As(err, &reported) {
		return &failure{reported}
	}
	return err
}

// isUnreachable reports whether libvirt could not ask the daemon that it has for what was asked: where each driver has
// a daemon of its own, that of networks can be down while that of containers answers.
func isUnreachable(err error) bool {
	var reported libvirt.Error
	return errors.As(err, &reported) &&
		(reported.Code == libvirt.ERR_SYSTEM_ERROR || reported.Code == libvirt.ERR_RPC)
}
