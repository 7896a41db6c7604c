// SPDX-License-Identifier: Apache-2.0

package outputspool

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// Nothing of the output is written before who runs the program has let go, however slow the reader is.
func TestRun(t *testing.T) {
	released := false
	var out, warnings strings.Builder
	check := func(to io.Writer) io.Writer {
		return writerFunc(func(text []byte) (int, error) {
			if !released {
				t.Error("written before the release")
			}
			return to.Write(text)
		})
	}
	failure := errors.New("failure")
	release := func() { released = true }
	status, err := Run(1<<20, check(&out), check(&warnings), release, func(stdout, stderr io.Writer) (int, error) {
		_, _ = io.WriteString(stdout, "line 1\n")
		_, _ = io.WriteString(stderr, "warning\n")
		_, _ = io.WriteString(stdout, "line 2\n")
		return 3, failure
	})
	if status != 3 || !errors.Is(err, failure) || out.String() != "line 1\nline 2\n" || warnings.String() != "warning\n" {
		t.Errorf("%d, %v: %q, %q", status, err, out.String(), warnings.String())
	}
}

func TestSpoolIsBounded(t *testing.T) {
	s, err := newSpool(5)
	if err != nil {
		t.Fatal(err)
	}
	defer s.file.Close()
	_, _ = io.WriteString(s, "12345")
	var full *FullError
	if _, err := io.WriteString(s, "6"); !errors.As(err, &full) || full.Limit != 5 || !errors.Is(s.failed, err) {
		t.Errorf("too much: %v", err)
	}
	var kept strings.Builder
	if err := s.writeTo(&kept); err != nil || kept.String() != "12345" {
		t.Errorf("%q, %v", kept.String(), err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(text []byte) (int, error) { return f(text) }
