// SPDX-License-Identifier: Apache-2.0

// Package throttle keeps what a container says, on its console above all, from pushing all else out of the host's
// journal, and from keeping whoever passes it on busy. In: text, as fast as root inside likes; out: as much of it as a
// journal has room for, and how much was dropped. Whatever passes a console on writes through it.
package throttle

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// What passes. Journald's own limit is 10,000 messages of 48 KiB in 30 seconds, which is 1.3 TB a day.
const (
	Rate     = 32 << 10 // bytes a second in the long run
	Burst    = 2 << 20  // bytes at once
	lineCost = 256      // bytes that an entry costs beside its text
	resume   = 10 * Rate
)

// pause is how long a writer whose text is dropped waits: the one who says it waits too, and costs little time.
const pause = 10 * time.Millisecond

// Writer is one console's. It is not for several goroutines.
type Writer struct {
	out     io.Writer
	now     func() time.Time
	sleep   func(time.Duration)
	left    int // bytes that may pass
	last    time.Time
	dropped int64
	inLine  bool // whether what passed last is not the end of a line
}

// New returns a writer to out.
func New(out io.Writer) *Writer { return newWriter(out, time.Now, time.Sleep) }

func newWriter(out io.Writer, now func() time.Time, sleep func(time.Duration)) *Writer {
	return &Writer{out: out, now: now, sleep: sleep, left: Burst, last: now()}
}

// Write passes text on, or drops it. Dropping is no error. Errors are out's.
func (w *Writer) Write(text []byte) (int, error) {
	if len(text) == 0 {
		return 0, nil
	}
	now := w.now()
	earned := min(now.Sub(w.last), Burst/Rate*time.Second)
	if n := int(earned * Rate / time.Second); n > 0 {
		w.left, w.last = min(w.left+n, Burst), now
	}
	need := len(text) + lineCost*bytes.Count(text, []byte("\n"))
	if w.left < need || w.dropped > 0 && w.left < resume {
		w.dropped += int64(len(text))
		w.sleep(pause)
		return len(text), nil
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	w.left -= need
	w.inLine = text[len(text)-1] != '\n'
	return w.out.Write(text)
}

// Flush says how much was dropped, in one line, if it was not said yet.
func (w *Writer) Flush() error {
	if w.dropped == 0 {
		return nil
	}
	end := ""
	if w.inLine {
		end = "\n"
	}
	_, err := fmt.Fprintf(w.out,
		"%svirt-sandbox: %d bytes of output were dropped; no more than %d KiB a second are passed on\n",
		end, w.dropped, Rate>>10)
	w.dropped, w.inLine = 0, false
	return err
}
