// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// InotifyInstances returns how many inotify instances (inotify(7)) all processes of a user may have together. Those
// of root in containers without ids of their own count as the host's root's.
func (d Dir) InotifyInstances() (int, error) {
	text, err := os.ReadFile(filepath.Join(string(d), "sys/fs/inotify/max_user_instances"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
