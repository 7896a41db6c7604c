// SPDX-License-Identifier: Apache-2.0

// Package programs finds the programs that belong to the running one: the same in a source tree, where all lie in bin/,
// and once installed. Every program may call it.
package programs

import (
	"fmt"
	"os"
	"path/filepath"
)

// Find returns the path of one of our programs: beside the running one, or in libexec of the same prefix, as seen from
// bin and from lib/systemd/system-generators.
func Find(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	dir := filepath.Dir(self)
	for _, candidate := range []string{dir, filepath.Join(dir, "../libexec/virt-sandbox"), filepath.Join(dir,
		"../../../libexec/virt-sandbox")} {
		file := filepath.Join(candidate, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
	}
	return "", fmt.Errorf("find %s: it is neither beside %s nor in libexec/virt-sandbox of the same prefix", name, self)
}
