// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"bytes"
	"io"
	"strings"
)

// Rotation passes on what logrotate(8) says inside, without its complaints about logs of packages that the host has and
// this container has not: it goes by the host's configuration of all of them.
type Rotation struct {
	Out    io.Writer
	line   []byte
	errors int // lines about anything else
	absent int
}

// maxRotationLine bounds what is kept of a line, in bytes. What is longer is none of those complaints.
const maxRotationLine = 4096

// Write implements io.Writer.
func (r *Rotation) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		part, rest, ends := bytes.Cut(p, []byte("\n"))
		r.line = append(r.line, part...)
		if p = rest; !ends && len(r.line) < maxRotationLine {
			return written, nil
		}
		if ends {
			r.line = append(r.line, '\n')
		}
		if err := r.Flush(); err != nil {
			return 0, err
		}
	}
	return written, nil
}

// Flush passes on a line that has no end.
func (r *Rotation) Flush() error {
	line := r.line
	r.line = nil
	text := strings.TrimSuffix(string(line), "\n")
	if isAbsence(text) {
		r.absent++
		return nil
	}
	if strings.HasPrefix(text, "error: ") {
		r.errors++
	}
	if len(line) == 0 {
		return nil
	}
	_, err := r.Out.Write(line)
	return err
}

// isAbsence reports whether a line complains about a log, or about the directory for old ones, that is not there.
func isAbsence(line string) bool {
	what, found := strings.CutSuffix(line, ": No such file or directory")
	return found && strings.HasPrefix(what, "error: ") &&
		(strings.HasPrefix(what, "error: stat of /") || strings.Contains(what, " error verifying olddir path /") ||
			strings.Contains(what, " error verifying log file path /"))
}

// OnlyAbsent reports whether nothing but logs that are not there was complained about.
func (r *Rotation) OnlyAbsent() bool { return r.absent > 0 && r.errors == 0 }
