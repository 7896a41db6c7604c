// SPDX-License-Identifier: Apache-2.0

package filetree

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Progress tells a person on a terminal how far a copy is; it keeps silent for the first second. The zero value and nil
// say nothing.
type Progress struct {
	Out io.Writer

	begun, told time.Time
	bytes       int64
	shown       bool
}

// Add counts bytes that were copied and shows them from time to time.
func (p *Progress) Add(n int) {
	if p == nil || p.Out == nil {
		return
	}
	now := time.Now()
	if p.begun.IsZero() {
		p.begun = now
	}
	p.bytes += int64(n)
	if now.Sub(p.begun) < time.Second || now.Sub(p.told) < 200*time.Millisecond {
		return
	}
	p.told, p.shown = now, true
	fmt.Fprintf(p.Out, "\rCopying content: %d MiB", p.bytes>>20)
}

// Clear clears the line that was shown.
func (p *Progress) Clear() {
	if p != nil && p.shown {
		fmt.Fprint(p.Out, "\r\x1b[K")
	}
}

// ProgressReader counts what passes and stops when the context ends.
type ProgressReader struct {
	Ctx      context.Context
	From     io.Reader
	Progress *Progress
}

// Read implements io.Reader.
func (r ProgressReader) Read(p []byte) (int, error) {
	if err := r.Ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.From.Read(p)
	r.Progress.Add(n)
	return n, err
}
