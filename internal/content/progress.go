package content

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

func (p *Progress) add(n int) {
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

// end clears the line.
func (p *Progress) end() {
	if p != nil && p.shown {
		fmt.Fprint(p.Out, "\r\x1b[K")
	}
}

// progressReader counts what passes and stops when the context ends.
type progressReader struct {
	ctx      context.Context
	from     io.Reader
	progress *Progress
}

func (r progressReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	r.progress.add(n)
	return n, err
}
