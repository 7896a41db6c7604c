// SPDX-License-Identifier: Apache-2.0

// Package seclabel creates files and sockets with an SELinux label, so that they are never there under another one. In:
// the labels and a function that creates; out: its error. Where SELinux is off it only calls.
package seclabel

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/opencontainers/selinux/go-selinux"
)

// Shown is the SELinux context of what the host gives every container to read.
const Shown = "system_u:object_r:container_ro_file_t:s0"

// Labels are SELinux contexts for what is made; empty ones leave it to the policy.
type Labels struct {
	Files   string
	Sockets string
}

// WithCreateLabel calls create, and all that it makes in this goroutine has the labels.
func WithCreateLabel(labels Labels, create func() error) error {
	if labels == (Labels{}) || !selinux.GetEnabled() {
		return create()
	}
	// A label is a property of the thread. One whose label could not be ended is not given back: nobody else may create
	// anything on it.
	runtime.LockOSThread()
	if err := set(labels); err != nil {
		return errors.Join(err, set(Labels{}))
	}
	err := create()
	if endErr := set(Labels{}); endErr != nil {
		return errors.Join(err, endErr)
	}
	runtime.UnlockOSThread()
	return err
}

func set(labels Labels) error {
	if err := selinux.SetFSCreateLabel(labels.Files); err != nil {
		return fmt.Errorf("set the SELinux label %q of new files: %w", labels.Files, err)
	}
	if err := selinux.SetSocketLabel(labels.Sockets); err != nil {
		return fmt.Errorf("set the SELinux label %q of new sockets: %w", labels.Sockets, err)
	}
	return nil
}
