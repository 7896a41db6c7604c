// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// allowInotify lets the host have as many inotify instances as units/sysctl.conf, which make install puts in place,
// for as long as the test runs.
func allowInotify(t *testing.T) {
	t.Helper()
	const (
		file   = "/proc/sys/fs/inotify/max_user_instances"
		enough = 8192
	)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(strings.TrimSpace(string(before))); err == nil && n >= min(enough, 5**count) {
		return
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(enough)), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, before, 0); err != nil {
			t.Error(err)
		}
	})
}
