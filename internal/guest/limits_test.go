// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestLeaveRoom: the host keeps the other half. The limit of this process stays lowered, which no other test needs.
func TestLeaveRoom(t *testing.T) {
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_SIGPENDING, &before); err != nil {
		t.Fatal(err)
	}
	if err := leaveRoom(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_SIGPENDING, &after); err != nil {
		t.Fatal(err)
	}
	if after.Max != before.Max/2 || after.Cur > after.Max {
		t.Errorf("of %+v there are %+v left", before, after)
	}
}
