// SPDX-License-Identifier: Apache-2.0

// Package programs finds the programs that belong to the running one: the same in a source tree, where all lie in bin/,
// and once installed. Every program may call it.
package programs

import (
	"fmt"
	"os"
	"path/filepath"
)

// libexec is set by the linker where a distribution has the programs in another directory than libexec/virt-sandbox of
// their prefix: -X github.com/virt-sandbox/virt-sandbox/internal/programs.libexec=/usr/lib/virt-sandbox.
var libexec string

// Find returns the path of one of our programs: beside the running one, or in libexec of the same prefix, as seen from
// bin and from lib/systemd/system-generators, or where the build was told that they are.
func Find(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	dir := filepath.Dir(self)
	candidates := []string{dir, filepath.Join(dir, "../libexec/virt-sandbox"), filepath.Join(dir,
		"../../../libexec/virt-sandbox")}
	if libexec != "" {
		candidates = append(candidates, libexec)
	}
	for _, candidate := range candidates {
		file := filepath.Join(candidate, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file, nil
		}
	}
	return "", fmt.Errorf("find %s: it is neither beside %s nor in libexec/virt-sandbox of the same prefix", name, self)
}
