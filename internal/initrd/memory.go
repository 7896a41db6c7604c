// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// Remember keeps a word that holds until the host restarts. That it cannot be kept only costs the time to find out
// again.
func (c *Cache) Remember(key, word string) {
	_ = renameio.WriteFile(filepath.Join(c.dir, key), []byte(bootID()+" "+word+"\n"), 0o644, renameio.WithTempDir(c.dir))
}

// Recall returns the word that was kept since the host started; "" for none.
func (c *Cache) Recall(key string) string {
	data, err := os.ReadFile(filepath.Join(c.dir, key))
	if err != nil {
		return ""
	}
	id, word, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	if id != bootID() {
		return ""
	}
	return word
}

// bootID is another after each start of the host (proc_sys_kernel(5)).
func bootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(data))
}
