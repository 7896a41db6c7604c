// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

// Bounds of what is kept of an entry, in bytes. What is longer is read and cut off.
const (
	maxMessage = 16 << 10
	maxValue   = 256
	maxName    = 64 // as journald has it
)

// entry is one of a journal, as far as it is passed on. All of it is root's inside.
type entry struct {
	cursor     string
	time       uint64 // microseconds since 1970
	message    string
	hasMessage bool
	cut        bool // whether the message is longer
	priority   string
	identifier string
	command    string
	process    string
	unit       string // of the process that wrote it
	about      string // the unit that systemd tells of
}

// fields are what journalctl is asked for beside what it always tells.
const fields = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_COMM,_PID,_SYSTEMD_UNIT,UNIT"

// about systemd itself, which writes of units.
const systemdScope = "init.scope"

// sandboxUnit is the unit inside that an entry is of.
func (e *entry) sandboxUnit() string {
	if e.about != "" && (e.unit == systemdScope || e.unit == "") {
		return e.about
	}
	return e.unit
}

var errFormat = errors.New("it is not the export format of a journal")

// readEntry reads one entry in the export format of journals (systemd.io/JOURNAL_EXPORT_FORMATS). What it has read so
// far comes with an error too. Errors: io.EOF after the last entry, io.ErrUnexpectedEOF within one, errFormat.
func readEntry(in *bufio.Reader) (*entry, error) {
	e := &entry{}
	for begun := false; ; begun = true {
		name, isText, err := readName(in)
		if errors.Is(err, io.EOF) && begun {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return e, err
		}
		if name == "" {
			if !begun {
				return e, errFormat
			}
			return e, nil
		}
		limit := maxValue
		if name == "MESSAGE" {
			limit = maxMessage
		}
		value, cut, err := readValue(in, isText, limit)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return e, err
		}
		e.set(name, value, cut)
	}
}

// set keeps the first value of a field: an entry can have several.
func (e *entry) set(name, value string, cut bool) {
	fields := map[string]*string{
		"__CURSOR": &e.cursor, "PRIORITY": &e.priority, "SYSLOG_IDENTIFIER": &e.identifier, "_COMM": &e.command,
		"_PID": &e.process, "_SYSTEMD_UNIT": &e.unit, "UNIT": &e.about,
	}
	switch at := fields[name]; {
	case name == "MESSAGE" && !e.hasMessage:
		e.message, e.hasMessage, e.cut = value, true, cut
	case name == "__REALTIME_TIMESTAMP" && e.time == 0:
		e.time, _ = strconv.ParseUint(value, 10, 63)
	case at != nil && *at == "":
		*at = value
	}
}

// readName reads the name of a field, up to the sign that a value of one line follows, or the end of the line, after
// which comes one of any bytes. An empty line ends the entry.
func readName(in *bufio.Reader) (name string, isText bool, err error) {
	var text []byte
	for {
		c, err := in.ReadByte()
		if err != nil {
			if len(text) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return "", false, err
		}
		switch {
		case c == '=' && len(text) > 0:
			return string(text), true, nil
		case c == '\n':
			return string(text), false, nil
		case len(text) == maxName:
			return "", false, errFormat
		}
		text = append(text, c)
	}
}

// readValue reads a value to its end and returns no more of it than the limit.
func readValue(in *bufio.Reader, isText bool, limit int) (value string, cut bool, err error) {
	var kept []byte
	keep := func(part []byte) {
		room := min(len(part), limit-len(kept))
		kept, cut = append(kept, part[:room]...), cut || room < len(part)
	}
	if isText {
		for {
			part, err := in.ReadSlice('\n')
			if err == nil {
				keep(part[:len(part)-1])
				return string(kept), cut, nil
			}
			keep(part)
			if !errors.Is(err, bufio.ErrBufferFull) {
				return string(kept), cut, err
			}
		}
	}
	var size [8]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return "", false, err
	}
	for left := binary.LittleEndian.Uint64(size[:]); left > 0; {
		part, err := in.Peek(int(min(left, 4096)))
		keep(part)
		left -= uint64(len(part))
		_, _ = in.Discard(len(part))
		if err != nil {
			return string(kept), cut, err
		}
	}
	if c, err := in.ReadByte(); err != nil || c != '\n' {
		return string(kept), cut, errors.Join(errFormat, err)
	}
	return string(kept), cut, nil
}
