// SPDX-License-Identifier: Apache-2.0

package capability

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNames: the table has the kernel's numbers.
func TestNames(t *testing.T) {
	for name, number := range map[string]int{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_SETPCAP": unix.CAP_SETPCAP, "CAP_NET_RAW": unix.CAP_NET_RAW,
		"CAP_SYS_MODULE": unix.CAP_SYS_MODULE,
		"CAP_SYS_ADMIN":  unix.CAP_SYS_ADMIN, "CAP_MKNOD": unix.CAP_MKNOD, "CAP_SETFCAP": unix.CAP_SETFCAP,
		"CAP_SYSLOG":        unix.CAP_SYSLOG,
		"CAP_BLOCK_SUSPEND": unix.CAP_BLOCK_SUSPEND,
	} {
		if got := slices.Index(names[:], name); got != number {
			t.Errorf("%s has the number %d, want %d", name, got, number)
		}
	}
	if got, want := len(names), unix.CAP_BLOCK_SUSPEND+1; got != want {
		t.Errorf("%d names, want %d", got, want)
	}
}
