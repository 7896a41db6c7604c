// SPDX-License-Identifier: Apache-2.0

// Package report reads what a container reports by messages of sd_notify(3). In: a datagram socket that root inside
// sends to as it likes; out: fields, one after the other, of which the caller believes what it must. A flood of
// messages costs their reader little time, and descriptors that come with them are the kernel's to close. What waits
// for a container, and what watches it, call it.
package report

import (
	"bytes"
	"io"
	"time"
)

// Fields of ours beside those of sd_notify(3).
const (
	Failed   = "X_FAILED"   // a unit of the sandbox that failed for good, and why, with a space between
	Degraded = "X_DEGRADED" // other units that failed, with spaces between
	Health   = "X_HEALTH"   // the verdict of a check of health
)

const (
	maxMessage = 4096 // bytes; what is longer is cut off, as systemd does it
	maxFields  = 64   // of a message

	// After so many messages the reader waits, and with it whoever sends. All that a socket can hold, which is 512
	// messages (net.unix.max_dgram_qlen), is read in 40 ms.
	burst = 64
	pause = 5 * time.Millisecond

	// What is done for fields, such as writing files, may take a tenth of the time, and once so much more: what a
	// container has to say at its end waits for nothing.
	share   = 10
	credits = 500 * time.Millisecond
)

// Read calls visit for each field of each message of a datagram socket, until it returns false or reading fails.
func Read(socket io.Reader, visit func(name, value string) (more bool)) error {
	buffer := make([]byte, maxMessage)
	credit, last := credits, time.Now()
	for read := 1; ; read++ {
		// A plain read takes no descriptors: the kernel closes those of the message.
		n, err := socket.Read(buffer)
		if err != nil {
			return err
		}
		begun := time.Now()
		if !Fields(buffer[:n], visit) {
			return nil
		}
		credit = min(credit+begun.Sub(last)/share, credits)
		last = time.Now()
		if credit -= last.Sub(begun); credit < 0 {
			time.Sleep(-credit * share)
		}
		if read%burst == 0 {
			time.Sleep(pause)
		}
	}
}

// Fields calls visit for the fields of one message, and reports whether it returned true for all.
func Fields(message []byte, visit func(name, value string) (more bool)) bool {
	seen := 0
	for line := range bytes.Lines(message) {
		if seen++; seen > maxFields {
			break
		}
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte("="))
		if !visit(string(name), string(value)) {
			return false
		}
	}
	return true
}
