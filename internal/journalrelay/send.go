// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// hostSocket is where the host's journald takes entries (systemd.io/JOURNAL_NATIVE_PROTOCOL).
const hostSocket = "/run/systemd/journal/socket"

// sendLimit is how long a journald that takes nothing has this wait.
const sendLimit = time.Second

// field is one of an entry for the host.
type field struct{ name, value string }

// journald sends to the host's. What it gets counts as the unit's that this process is of.
type journald struct {
	socket     string
	connection *net.UnixConn
}

func (j *journald) send(fields []field) error {
	var datagram bytes.Buffer
	for _, f := range fields {
		datagram.WriteString(f.name + "\n")
		_ = binary.Write(&datagram, binary.LittleEndian, uint64(len(f.value)))
		datagram.WriteString(f.value + "\n")
	}
	err := j.write(datagram.Bytes())
	if err != nil {
		// It may have been started anew.
		j.close()
		err = j.write(datagram.Bytes())
	}
	return err
}

func (j *journald) write(datagram []byte) error {
	if j.connection == nil {
		c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: j.socket, Net: "unixgram"})
		if err != nil {
			return err
		}
		j.connection = c
	}
	_ = j.connection.SetWriteDeadline(time.Now().Add(sendLimit))
	_, err := j.connection.Write(datagram)
	return err
}

func (j *journald) close() {
	if j.connection != nil {
		j.connection.Close()
		j.connection = nil
	}
}

// Priorities of syslog(3).
const (
	emergency, alert, warning, info = 0, 1, 4, 6
)

// priorityOf returns the priority of an entry for the host. What is an emergency of a container is none of the host's,
// which would tell all who are logged in.
func priorityOf(text string) int {
	switch p, err := strconv.ParseUint(text, 10, 3); {
	case err != nil:
		return info
	case p == emergency:
		return alert
	default:
		return int(p)
	}
}

// UnitField is the field of an entry in the host's journal that names the unit inside.
const UnitField = "SANDBOX_UNIT"

// forHost makes of an entry what the host's journal gets, every word of it harmless.
func (e *entry) forHost(sandbox string) []field {
	message := printable.Text(strings.TrimRight(e.message, "\n"))
	if e.cut {
		message += "…"
	}
	word := func(value string) string { return printable.Short(value, maxValue) }
	identifier := cmp.Or(e.identifier, e.command, e.sandboxUnit())
	fields := []field{
		{"MESSAGE", message}, {"PRIORITY", strconv.Itoa(priorityOf(e.priority))},
		{"SYSLOG_IDENTIFIER", word(identifier)},
		{"SANDBOX", sandbox}, {UnitField, word(e.sandboxUnit())},
		{"SANDBOX_TIMESTAMP", strconv.FormatUint(e.time, 10)},
	}
	if _, err := strconv.ParseUint(e.process, 10, 32); err == nil {
		fields = append(fields, field{"SANDBOX_PID", e.process})
	}
	return fields
}
