// SPDX-License-Identifier: Apache-2.0

// Command recording makes a moving picture (SVG) of what a run on a terminal showed:
//
//	recording TITLE <RUN >PICTURE
//
// The run is what test/recording prints: times as script(1) logs them, and what was shown in base64. The picture shows
// all of it. Only the times differ: nothing moves on before it can be read, and no pause is long.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: recording TITLE <RUN >PICTURE")
		os.Exit(2)
	}
	chunks, err := read(os.Stdin)
	if err == nil {
		err = draw(os.Stdout, os.Args[1], screen(chunks))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "recording: %v\n", err)
		os.Exit(1)
	}
}

// chunk is what was shown at once.
type chunk struct {
	after time.Duration // the one before
	text  string
}

// Pauses are between these.
const (
	shortest = 40 * time.Millisecond
	longest  = 1500 * time.Millisecond
	reading  = 2 * time.Second // before the next command
)

// prompt is how the demo begins the line of a command.
const prompt = "$ "

func read(in io.Reader) ([]chunk, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	_, rest, hasTimes := bytes.Cut(text, []byte("--- times\n"))
	times, encoded, hasText := bytes.Cut(rest, []byte("--- shown\n"))
	if !hasTimes || !hasText {
		return nil, errors.New("this is no run of test/recording")
	}
	encoded, _, _ = bytes.Cut(encoded, []byte("---"))
	shown, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(encoded)), "\n", ""))
	if err != nil {
		return nil, fmt.Errorf("read what was shown: %w", err)
	}
	// script says first when it began, and last how it ended.
	if bytes.HasPrefix(shown, []byte("Script started")) {
		_, shown, _ = bytes.Cut(shown, []byte("\n"))
	}
	var chunks []chunk
	lines := bufio.NewScanner(bytes.NewReader(times))
	for lines.Scan() {
		var seconds float64
		var size int
		if _, err := fmt.Sscan(lines.Text(), &seconds, &size); err != nil || size < 0 || size > len(shown) {
			return nil, fmt.Errorf("a time that cannot be read: %q", lines.Text())
		}
		chunks = append(chunks, chunk{time.Duration(seconds * float64(time.Second)), string(shown[:size])})
		shown = shown[size:]
	}
	if len(chunks) == 0 {
		return nil, errors.New("nothing was shown")
	}
	return chunks, lines.Err()
}
