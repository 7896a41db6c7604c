// SPDX-License-Identifier: Apache-2.0

// Package notify tells the host's systemd how a unit of ours fares (sd_notify(3)). In: a status in words, which may be
// a container's; out: a message in which those words are one line, so that they cannot be fields of their own. The
// program of the units calls it, and nobody else sends such messages for the host.
package notify

import (
	"fmt"
	"os"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// maxStatus is how many bytes of a status systemd is told. It takes 4 KiB of a message.
const maxStatus = 1024

// Status says what the unit does. Where no systemd listens, it says nothing.
func Status(words string) { _, _ = daemon.SdNotify(false, message(words)) }

// Working is Status for long work: it gives the unit another minute, since systemd takes silence for a hang.
func Working(words string) {
	_, _ = daemon.SdNotify(false, message(words, "EXTEND_TIMEOUT_USEC=60000000"))
}

// Ready says that the unit is up and this process is its main one.
func Ready(words string) error {
	if _, err := daemon.SdNotify(false, message(words, "READY=1", fmt.Sprintf("MAINPID=%d", os.Getpid()))); err != nil {
		return fmt.Errorf("report readiness: %w", err)
	}
	return nil
}

// message is fields of ours and a status last.
func message(words string, fields ...string) string {
	return strings.Join(append(fields, "STATUS="+printable.Short(strings.TrimSpace(words), maxStatus)), "\n")
}
