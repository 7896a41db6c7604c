// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"bytes"
	"io"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Lines passes lines on when they are whole, made harmless for a terminal.
type Lines struct {
	Out  io.Writer
	line []byte
}

// maxLine bounds what is kept of a line without an end.
const maxLine = 1 << 20

func (p *Lines) Write(text []byte) (int, error) {
	p.line = append(p.line, text...)
	end := bytes.LastIndexByte(p.line, '\n') + 1
	if len(p.line) > maxLine {
		end = len(p.line)
	}
	if end > 0 {
		if _, err := io.WriteString(p.Out, printable.Text(string(p.line[:end]))); err != nil {
			return 0, err
		}
		p.line = append(p.line[:0], p.line[end:]...)
	}
	return len(text), nil
}

// Flush passes on what has no end yet.
func (p *Lines) Flush() {
	_, _ = io.WriteString(p.Out, printable.Text(string(p.line)))
	p.line = nil
}
