// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// Lines stand as the terminal shows them: what is overwritten is gone, control sequences are not text, bold is seen, and a
// command waits until what is above it can be read.
func TestScreen(t *testing.T) {
	lines := screen([]chunk{
		{0, "\r\n\x1b[1m$ start\x1b[0m\r\n"},
		{time.Hour, "waiting …\rdone\x1b[K\r\n"},
		{time.Millisecond, "\x1b[31mred\x1b[0m é\r\n$ "},
		{time.Millisecond, "next\r\n"},
	})
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.text)
	}
	if got := strings.Join(texts, "|"); got != "$ start|done|red é|$ next" {
		t.Fatalf("got %q", got)
	}
	if !lines[0].bold || lines[1].bold {
		t.Error("bold is not where it was")
	}
	if wait := lines[1].at - lines[0].at; wait != longest {
		t.Errorf("an hour became %v", wait)
	}
	if wait := lines[3].at - lines[2].at; wait < reading {
		t.Errorf("the next command comes after %v", wait)
	}
}

// A run becomes a picture that is XML, whatever was shown.
func TestDraw(t *testing.T) {
	shown := "Script started on 2026-11-29 00:00:00+00:00\n$ echo '<a & b>'\r\n" + strings.Repeat("line\r\n", 40)
	run := "noise\n--- times\n0.1 18\n2.5 240\n--- shown\n" + base64.StdEncoding.EncodeToString([]byte(shown)) + "\n"
	chunks, err := read(strings.NewReader(run))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := draw(&out, "a & b", screen(chunks)); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(strings.NewReader(out.String()))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, out.String())
		}
	}
	for _, want := range []string{"&lt;a &amp; b&gt;", "translateY(-255px)", "prefers-reduced-motion"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %s in\n%s", want, out.String())
		}
	}
	for _, wrong := range []string{"", "--- times\nx\n--- shown\n", "--- times\n1 99\n--- shown\nAA==\n"} {
		if _, err := read(strings.NewReader(wrong)); err == nil {
			t.Errorf("%q is a run", wrong)
		}
	}
}
