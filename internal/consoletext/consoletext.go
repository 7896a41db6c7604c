// SPDX-License-Identifier: Apache-2.0

// Package consoletext keeps the beginning of what a container says on its console while it starts, and passes all of it
// on. In: the host's end of a console, which the container fills as it likes. Out: bounded text that is harmless for a
// terminal. Whatever starts containers calls it.
package consoletext

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/throttle"
)

// Kept is how many bytes of a console are kept for an error.
const Kept = 16 << 10

// Text is what a console has said.
type Text struct {
	mu   sync.Mutex
	kept Head
	done chan struct{} // closed when the last of it has been passed on
}

// Read reads a console until the context ends or the console does, and passes it on to out; of a systemd that boots
// without what all of them say. It uses the read deadline of the console.
func Read(ctx context.Context, console *os.File, out io.Writer, boots bool) *Text {
	t := &Text{kept: Head{Left: Kept}, done: make(chan struct{})}
	_ = console.SetReadDeadline(time.Time{})
	context.AfterFunc(ctx, func() { _ = console.SetReadDeadline(time.Now()) })
	go func() {
		defer close(t.done)
		limited := throttle.New(out)
		passed := noise{out: limited, off: !boots}
		buffer := make([]byte, 4096)
		for {
			n, err := console.Read(buffer)
			t.mu.Lock()
			_, _ = t.kept.Write(buffer[:n])
			t.mu.Unlock()
			_, _ = passed.Write(printable.Bytes(buffer[:n]))
			if err != nil {
				passed.flush()
				_ = limited.Flush()
				return
			}
		}
	}()
	return t
}

// AwaitEnd waits until the console has hung up, which it does with libvirt's controller, at most for the limit.
func (t *Text) AwaitEnd(limit time.Duration) {
	select {
	case <-t.done:
	case <-time.After(limit):
	}
}

// Wait waits until all that was read has been passed on.
func (t *Text) Wait() { <-t.done }

// Quoted returns what is kept as the end of an error's text; "" for nothing.
func (t *Text) Quoted() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(printable.Text(t.kept.String()))
	if text == "" {
		return ""
	}
	return "; its console says: " + text
}

// Head keeps the first bytes of what is written, as many as Left says, and forgets the rest.
type Head struct {
	bytes.Buffer
	Left int
}

// Write implements io.Writer. It never fails.
func (h *Head) Write(p []byte) (int, error) {
	kept := p[:min(len(p), h.Left)]
	h.Left -= len(kept)
	h.Buffer.Write(kept)
	return len(p), nil
}
