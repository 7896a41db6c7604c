// SPDX-License-Identifier: Apache-2.0

package ctxio

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

var errEnded = errors.New("ended")

func TestReader(t *testing.T) {
	got, err := io.ReadAll(NewReader(t.Context(), strings.NewReader("all of it")))
	if err != nil || string(got) != "all of it" {
		t.Errorf("%q, %v", got, err)
	}
	failure := errors.New("failure")
	in := NewReader(t.Context(), io.MultiReader(strings.NewReader("x"), failing{failure}))
	if _, err := io.ReadAll(in); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestReaderEnds: nobody sends, and the context ends.
func TestReaderEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	silent, sender := io.Pipe()
	defer sender.Close()
	in := NewReader(ctx, silent)
	cancel(errEnded)
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, errEnded) {
		t.Errorf("got %v", err)
	}
}

func TestWriter(t *testing.T) {
	var out strings.Builder
	w, finish := NewWriter(t.Context(), &out)
	for _, text := range []string{"all ", "of it"} {
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := finish(); err != nil || out.String() != "all of it" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestWriterEnds: nobody takes what is written, and the context ends.
func TestWriterEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	taker, full := io.Pipe()
	defer taker.Close()
	w, finish := NewWriter(ctx, full)
	if _, err := io.WriteString(w, "first"); err != nil {
		t.Fatal(err)
	}
	cancel(errEnded)
	if _, err := io.WriteString(w, "second"); !errors.Is(err, errEnded) {
		t.Errorf("got %v", err)
	}
	if err := finish(); !errors.Is(err, errEnded) {
		t.Errorf("at the end: %v", err)
	}
}

func TestWriterFails(t *testing.T) {
	taker, broken := io.Pipe()
	failure := errors.New("failure")
	taker.CloseWithError(failure)
	w, finish := NewWriter(t.Context(), broken)
	_, _ = io.WriteString(w, "x")
	if err := finish(); !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
}
