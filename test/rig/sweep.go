// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Sweep removes the sandboxes, whole or in part, whose names begin with a prefix that is the tests' own: an earlier run
// that was killed could not.
func Sweep(program, prefix string) error {
	names := make(map[string]bool)
	for _, pattern := range []string{"/etc/libvirt-sandbox/services/*.sandbox", "/var/lib/libvirt/filesystems/*",
		"/var/lib/libvirt/images/*", "/var/lib/virt-sandbox/*"} {
		paths, err := filepath.Glob(filepath.Join(filepath.Dir(pattern), prefix+filepath.Base(pattern)))
		if err != nil {
			return err
		}
		for _, path := range paths {
			name, _, _ := strings.Cut(filepath.Base(path), ".")
			if strings.HasSuffix(name, "@") {
				defer os.RemoveAll(path + ".d")
				defer os.RemoveAll(path)
				continue
			}
			names[name] = true
		}
	}
	for name := range names {
		// Of one that has no config, only delete knows what is left.
		stopped, _ := exec.Command(program, "stop", name).CombinedOutput()
		out, err := exec.Command(program, "delete", name).CombinedOutput()
		if err != nil {
			// It can be a legacy one, whose content a test has made by hand.
			err = errors.Join(os.RemoveAll("/etc/libvirt-sandbox/services/"+name+".sandbox"),
				os.RemoveAll("/etc/libvirt-sandbox/services/"+name), os.RemoveAll("/var/lib/virt-sandbox/"+name),
				os.RemoveAll("/var/lib/libvirt/filesystems/"+name))
		}
		if err != nil {
			return fmt.Errorf("remove what an earlier run left of %s: %w\n%s%s", name, err, stopped, out)
		}
	}
	return nil
}
