// SPDX-License-Identifier: Apache-2.0

package throttle

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// clock is a time that passes only when somebody waits.
type clock struct{ at time.Time }

func (c *clock) now() time.Time                   { return c.at }
func (c *clock) sleep(d time.Duration)            { c.at = c.at.Add(d) }
func (c *clock) writer(out *bytes.Buffer) *Writer { return newWriter(out, c.now, c.sleep) }

// A flood is bounded for as long as it goes on, its writer waits, and what is dropped is counted.
func TestFlood(t *testing.T) {
	lines := map[string]string{"long lines": strings.Repeat("x", 4095) + "\n", "empty lines": "\n", "no lines": "xx"}
	for name, line := range lines {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := &clock{time.Unix(1000, 0)}
			w := c.writer(&out)
			written, begun := 0, c.at
			for c.at.Sub(begun) < time.Minute {
				n, err := w.Write([]byte(line))
				if err != nil || n != len(line) {
					t.Fatal(n, err)
				}
				written += n
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			said := 0
			for l := range strings.Lines(out.String()) {
				said += len(l) + lineCost
			}
			if most := Burst + 60*Rate + 1<<20; said > most {
				t.Errorf("in a minute %d bytes pass, with what entries cost; %d may", said, most)
			}
			if notes := strings.Count(out.String(), "bytes of output were dropped"); notes < 2 || notes > 100 {
				t.Errorf("it is said %d times", notes)
			}
			if out.Len() < Burst/lineCost {
				t.Errorf("only %d bytes pass", out.Len())
			}
		})
	}
}

// What says little passes as it is, for ever.
func TestLittlePasses(t *testing.T) {
	var out bytes.Buffer
	c := &clock{time.Unix(1000, 0)}
	w := c.writer(&out)
	boot := strings.Repeat("[  OK  ] Started something or other of the boot.\n", 2000)
	if _, err := w.Write([]byte(boot)); err != nil {
		t.Fatal(err)
	}
	c.sleep(time.Minute)
	want := boot
	for range 10_000 {
		const line = "127.0.0.1 - - \"GET / HTTP/1.1\" 200 45\n"
		if _, err := w.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		want += line
		c.sleep(time.Second / 100)
	}
	if err := w.Flush(); err != nil || out.String() != want {
		t.Errorf("it is changed; %v", err)
	}
}

// The note is a line of its own, before what comes next.
func TestNote(t *testing.T) {
	var out bytes.Buffer
	c := &clock{time.Unix(1000, 0)}
	w := c.writer(&out)
	for _, text := range []string{"begun", strings.Repeat("y", Burst), ""} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	c.sleep(time.Minute)
	if _, err := w.Write([]byte("more\n")); err != nil {
		t.Fatal(err)
	}
	want := "begun\nvirt-sandbox: 2097152 bytes of output were dropped; no more than 32 KiB a second are passed on\nmore\n"
	if out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// FuzzWriter: whatever is said, in whatever pieces and at whatever times, what passes is bounded.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\nb"), uint16(1), uint32(1000))
	f.Add(bytes.Repeat([]byte("\n"), 3000), uint16(900), uint32(0))
	f.Fuzz(func(t *testing.T, text []byte, times uint16, wait uint32) {
		var out bytes.Buffer
		c := &clock{time.Unix(1000, 0)}
		w := c.writer(&out)
		begun, said := c.at, 0
		for range times {
			if n, err := w.Write(text); n != len(text) || err != nil {
				t.Fatal(n, err)
			}
			said += len(text)
			c.sleep(time.Duration(wait) * time.Microsecond)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		notes := bytes.Count(out.Bytes(), []byte("bytes of output were dropped"))
		passed := out.Len() - 100*notes + lineCost*bytes.Count(out.Bytes(), []byte("\n"))
		most := Burst + int(c.at.Sub(begun).Seconds()+1)*Rate + (100+2*lineCost)*notes
		if passed > most || notes == 0 && out.Len() != said {
			t.Errorf("%d bytes pass, with what entries cost, of %d said; %d may", passed, said, most)
		}
	})
}
