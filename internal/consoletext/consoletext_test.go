// SPDX-License-Identifier: Apache-2.0

package consoletext

import (
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// console returns both ends of a pipe that can have deadlines, as a terminal can.
func console(t *testing.T) (inside, outside *os.File) {
	t.Helper()
	outside, inside, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		inside.Close()
		outside.Close()
	})
	return inside, outside
}

// What a console says is passed on, harmless, and its beginning is quoted.
func TestRead(t *testing.T) {
	inside, outside := console(t)
	var passed strings.Builder
	text := Read(context.Background(), outside, &passed, true)
	if _, err := io.WriteString(inside, "\x1b[2JFailed to start\r\n"); err != nil {
		t.Fatal(err)
	}
	inside.Close()
	text.AwaitEnd(10 * time.Second)
	text.Wait()
	if want := "?[2JFailed to start\n"; passed.String() != want {
		t.Errorf("passed on %q, want %q", passed.String(), want)
	}
	if want := "; its console says: ?[2JFailed to start"; text.Quoted() != want {
		t.Errorf("quoted %q, want %q", text.Quoted(), want)
	}
}

// A console that never ends is let go with the context, and one that says too much is bounded.
func TestReadIsBounded(t *testing.T) {
	inside, outside := console(t)
	ctx, cancel := context.WithCancel(context.Background())
	text := Read(ctx, outside, io.Discard, false)
	if _, err := inside.Write([]byte(strings.Repeat("x", 2*Kept))); err != nil {
		t.Fatal(err)
	}
	text.AwaitEnd(50 * time.Millisecond) // Which does not come.
	cancel()
	text.Wait()
	if n := len(text.Quoted()); n > Kept+100 {
		t.Errorf("%d bytes are kept", n)
	}
	if got := Read(ctx, outside, io.Discard, false); got.Quoted() != "" {
		t.Errorf("of silence: %q", got.Quoted())
	}
}
