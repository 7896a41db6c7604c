// SPDX-License-Identifier: Apache-2.0

package consoletext

import (
	"bytes"
	"io"
	"strings"
)

// greetings are how lines begin that a systemd says at each boot, be it a good one, before there is a journal. A "*"
// stands for a word.
func greetings() []string {
	return []string{
		"systemd * running in system mode (", "Detected virtualization ", "Detected architecture ", "Hostname set to ",
		"Queued start job for default target ",
	}
}

// maxHeld is how long a line can be of which is not known yet what it is, in bytes.
const maxHeld = 1 << 10

// noise passes on all but greetings. What cannot become one it passes on at once, without waiting for the end of the
// line.
type noise struct {
	out    io.Writer
	off    bool   // whether to pass on all
	held   []byte // the begin of a line that may be one
	inLine bool   // whether that of what was passed on last goes on
}

// Write implements io.Writer.
func (n *noise) Write(text []byte) (int, error) {
	if n.off {
		return n.out.Write(text)
	}
	var passed []byte
	for _, line := range bytes.SplitAfter(text, []byte("\n")) {
		if n.inLine {
			passed = append(passed, line...)
			n.inLine = !bytes.HasSuffix(line, []byte("\n"))
			continue
		}
		n.held = append(n.held, line...)
		ended := bytes.HasSuffix(n.held, []byte("\n"))
		switch is, canBe := greets(string(n.held)); {
		case is && ended:
			n.held = n.held[:0]
		case !is && !canBe || ended || len(n.held) > maxHeld:
			passed = append(passed, n.held...)
			n.inLine = len(n.held) > 0 && !ended
			n.held = n.held[:0]
		}
	}
	if len(passed) == 0 {
		return len(text), nil
	}
	if _, err := n.out.Write(passed); err != nil {
		return 0, err
	}
	return len(text), nil
}

// flush passes on what has no end.
func (n *noise) flush() {
	_, _ = n.out.Write(n.held)
	n.held = nil
}

// greets reports whether a line is a greeting as far as it is there, and whether it can become one.
func greets(line string) (is, canBe bool) {
	for _, greeting := range greetings() {
		before, after, hasWord := strings.Cut(greeting, "*")
		rest, begins := strings.CutPrefix(line, before)
		if !begins {
			canBe = canBe || strings.HasPrefix(before, line)
			continue
		}
		if hasWord {
			end := strings.IndexByte(rest, ' ')
			if end < 0 {
				canBe = canBe || !strings.HasSuffix(rest, "\n")
				continue
			}
			rest = rest[end:]
		}
		is = is || !hasWord || strings.HasPrefix(rest, after)
		canBe = canBe || hasWord && strings.HasPrefix(after, rest)
	}
	return is, canBe
}
