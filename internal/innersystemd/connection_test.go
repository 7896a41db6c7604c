// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	godbus "github.com/godbus/dbus/v5"
)

// repeated reads as these bytes again and again.
type repeated struct {
	text []byte
	at   int
}

func endless[T string | []byte](text T) io.Reader { return &repeated{text: []byte(text)} }

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.text[r.at:])
	r.at = (r.at + n) % len(r.text)
	return n, nil
}

// TestHandshakeIsBounded: what a bus says before it is one is no more than a line, and takes no longer than it may.
func TestHandshakeIsBounded(t *testing.T) {
	for name, test := range map[string]struct {
		says io.Reader
		want string
	}{
		"endless line":  {endless("OK x"), errTooMuch.Error()},
		"endless lines": {endless("ERROR\r\n"), "does not let root in"},
		"rejects":       {strings.NewReader("REJECTED EXTERNAL\r\n"), "does not let root in"},
		"goes":          {strings.NewReader("O"), "EOF"},
		"says nothing":  {nil, "took too long"},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, theirs) }()
			go func() {
				if test.says != nil {
					_, _ = io.Copy(theirs, test.says)
					theirs.Close()
				}
			}()
			limit := time.Minute
			if test.says == nil {
				limit = 100 * time.Millisecond
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("took too long"))
			defer cancel()
			_, err := newConnection(ctx, ours)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if _, err := ours.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("the connection is left open: %v", err)
			}
		})
	}
}

// TestAnswersAreBounded: no answer, and nothing that comes in place of one, fills the memory or takes for ever.
func TestAnswersAreBounded(t *testing.T) {
	signal := encode(&godbus.Message{
		Type: godbus.TypeSignal, Body: []any{strings.Repeat("x", 5000)},
		Headers: map[godbus.HeaderField]godbus.Variant{
			godbus.FieldPath:      godbus.MakeVariant(godbus.ObjectPath("/")),
			godbus.FieldInterface: godbus.MakeVariant("org.freedesktop.DBus"),
			godbus.FieldSender:    godbus.MakeVariant("org.freedesktop.DBus"),
			godbus.FieldMember:    godbus.MakeVariant("NameLost"),
		},
	})
	header := func(fields, body uint32) []byte {
		h := []byte{'l', typeReply, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}
		binary.LittleEndian.PutUint32(h[4:], body)
		binary.LittleEndian.PutUint32(h[12:], fields)
		return h
	}
	for name, test := range map[string]struct {
		says io.Reader
		want string
	}{
		"signals for ever":    {endless(signal), errTooMuch.Error()},
		"small ones for ever": {endless(header(0, 0)), errTooMuch.Error()},
		"large body":          {bytes.NewReader(header(0, maxMessage)), errTooMuch.Error()},
		"sizes that overflow": {bytes.NewReader(header(1<<32-8, 1<<32-8)), errTooMuch.Error()},
		"header of zeros":     {endless([]byte{0}), errWire.Error()},
		"half a message":      {bytes.NewReader(header(0, 1000)), "EOF"},
		"fields that are cut": {io.MultiReader(bytes.NewReader(header(8, 0)), endless([]byte{0xff})), errWire.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			c := connected(t, func(stream net.Conn) {
				if _, err := greet(stream); err != nil {
					t.Error(err)
				}
				go func() { _, _ = io.Copy(io.Discard, stream) }()
				_, _ = io.Copy(stream, test.says)
			})
			_, err := c.Unit(t.Context(), "web.service")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			runtime.ReadMemStats(&after)
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
				t.Errorf("it allocated %d MiB", grown>>20)
			}
		})
	}
}

// TestContextEndsQuestion: a bus that does not answer keeps nobody longer than the context.
func TestContextEndsQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connected(t, func(stream net.Conn) {
			in, err := greet(stream)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, in)
		})
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("a minute is over"))
		defer cancel()
		if _, err := c.Failed(ctx); err == nil || !strings.Contains(err.Error(), "a minute is over") {
			t.Errorf("got %v", err)
		}
		c.Close()
	})
}

// TestWordsOfMessages: no text that a container says comes out as it would harm a terminal or a reader of lines.
func TestWordsOfMessages(t *testing.T) {
	evil := "a\nREADY=1\x1b[2J\u202e" + notUTF8 + strings.Repeat("x", 5000)
	harmless := func(what, text string) {
		t.Helper()
		if strings.ContainsAny(text, "\n\x1b\u202e") || len(text) > 2*maxSentence {
			t.Errorf("%s is %.300q", what, text)
		}
	}
	c := (&fakeBus{failed: []string{evil}, units: map[string]map[string]any{"web.service": {
		"LoadState": evil, "ActiveState": evil, "SubState": evil, "Result": evil, "Type": evil,
	}}, result: evil}).client(t)
	state, err := c.Unit(t.Context(), "web.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{state.Load, state.Active, state.Sub, state.Result, state.Type} {
		harmless("a state", text)
	}
	failed, err := c.Failed(t.Context())
	if err != nil || len(failed) != 1 {
		t.Fatal(failed, err)
	}
	harmless("a name", failed[0])
	harmless("the end of a job", c.Reload(t.Context(), "web.service").Error())
	_, err = (&fakeBus{err: errors.New(evil)}).client(t).Failed(t.Context())
	harmless("an error", err.Error())
}
