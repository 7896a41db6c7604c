// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// leaveRoom halves what of the host's root all containers can use together: signals that wait and bytes of message
// queues. The kernel counts them for the user who made the container too, and holds each process to its own limit of
// that count, so that processes of the host have the other half (getrlimit(2)). Without CAP_SYS_RESOURCE nobody raises
// them again.
func leaveRoom() error {
	for _, resource := range []int{unix.RLIMIT_SIGPENDING, unix.RLIMIT_MSGQUEUE} {
		var limit unix.Rlimit
		if err := unix.Getrlimit(resource, &limit); err != nil {
			return fmt.Errorf("read limit %d: %w", resource, err)
		}
		limit.Max /= 2
		limit.Cur = min(limit.Cur, limit.Max)
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("lower limit %d: %w", resource, err)
		}
	}
	return nil
}

// spareNobody has the kernel rate this process as any other when memory runs out, where the caller is one to spare
// (proc_pid_oom_score_adj(5)).
func spareNobody() error {
	const file = "/proc/self/oom_score_adj"
	score, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the score for when memory runs out: %w", err)
	}
	if !bytes.HasPrefix(score, []byte("-")) {
		return nil
	}
	if err := writeExisting(file, []byte("0")); err != nil {
		return fmt.Errorf("be ended as others when memory runs out: %w", err)
	}
	return nil
}
