// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

func TestSkipToLast(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	for _, c := range []struct {
		text  string
		lines int
		want  string
	}{
		{"a\nb\nc\n", -1, "a\nb\nc\n"}, {"a\nb\nc\n", 2, "b\nc\n"}, {"a\nb\nc\n", 3, "a\nb\nc\n"}, {"a\nb\nc\n", 9,
			"a\nb\nc\n"},
		{"a\n" + long + "\nc\n", 2, long + "\nc\n"}, {"a\nb\n", 0, ""}, {"", 3, ""},
	} {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(c.text); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, 0); err != nil {
			t.Fatal(err)
		}
		if err := skipToLast(f, c.lines); err != nil {
			t.Errorf("%.20q: %v", c.text, err)
		}
		left := make([]byte, len(c.text)+1)
		n, _ := f.Read(left)
		f.Close()
		if string(left[:n]) != c.want {
			t.Errorf("%.20q, %d lines: got %.20q", c.text, c.lines, left[:n])
		}
	}
}

// Who follows the journal in an image that is down would keep the sandbox from being started.
func TestFollowOfStoppedImage(t *testing.T) {
	s := config.New("box")
	s.Image = t.TempDir() + "/box.raw"
	_, err := Stopped(t.Context(), s, Options{Follow: true}, nil, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "box is not running; start it to follow") {
		t.Errorf("got %v", err)
	}
}

func TestPrintableLines(t *testing.T) {
	var out strings.Builder
	p := Lines{Out: &out}
	for _, part := range []string{"a\x1b[2", "Jb\nhalf of \xc3", "\xa9\nend"} {
		if _, err := p.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	p.Flush()
	if want := "a?[2Jb\nhalf of é\nend"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// A mistake in an option of logs is told from a failure.
func TestLogOptionErrors(t *testing.T) {
	for _, o := range []Options{{Lines: -1, Output: "export"}, {Lines: -1, Unit: "a/b"}} {
		var option *describe.OptionError
		if _, err := o.Arguments(); !errors.As(err, &option) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// FuzzLines: in whatever pieces a journal comes, no control character of it reaches a terminal and no text is lost.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\x1b[2J\r\n"), 3)
	f.Add([]byte("gr\xc3\xbc\xc3"), 1)
	f.Fuzz(func(t *testing.T, text []byte, piece int) {
		if piece <= 0 {
			piece = 1
		}
		var out strings.Builder
		lines := Lines{Out: &out}
		for part := range slices.Chunk(text, piece) {
			if n, err := lines.Write(part); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		lines.Flush()
		if want := printable.Text(string(text)); out.String() != want {
			t.Errorf("%q in pieces of %d is %q, want %q", text, piece, out.String(), want)
		}
	})
}

// What is chosen by are options of journalctl, each one word, whatever it begins with.
func TestArguments(t *testing.T) {
	got, err := Options{
		Lines: 5, Reverse: true, Boot: "-1", Grep: "--file=/etc/passwd", Identifier: "x", Since: "-1h",
	}.Arguments()
	want := []string{"--no-pager", "--quiet", "--lines=5", "--reverse", "--since=-1h", "--boot=-1",
		"--grep=--file=/etc/passwd", "--identifier=x"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}
