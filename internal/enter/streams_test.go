// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// piped runs a shell's script as runOnPipes does a command inside.
func piped(ctx context.Context, t *testing.T, script string, stdin io.Reader, stdout, stderr io.Writer) error {
	t.Helper()
	process := exec.CommandContext(ctx, "/bin/sh", "-c", script)
	command := Command{Stdin: stdin, Stdout: stdout, Stderr: stderr}
	return runOnPipes(ctx, Target{}, process, command, (*exec.Cmd).Start)
}

// tempFile makes a file with text, open for reading and writing at its begin.
func tempFile(t *testing.T, text string) *os.File {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "file"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	_, writeErr := file.WriteString(text)
	_, seekErr := file.Seek(0, io.SeekStart)
	if err := errors.Join(writeErr, seekErr); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOnlyPipes: whatever the caller gives, the command has pipes.
func TestOnlyPipes(t *testing.T) {
	const links = "readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 >&2"
	in, out := tempFile(t, "in"), tempFile(t, "")
	for _, stdin := range []io.Reader{nil, in, strings.NewReader("in")} {
		var stderr bytes.Buffer
		if err := piped(t.Context(), t, links, stdin, out, &stderr); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		for n, line := range lines {
			if !strings.HasPrefix(line, "pipe:") {
				t.Errorf("with %T: descriptor %d is %s", stdin, n, line)
			}
		}
	}
}

// TestStreams: what goes in comes out, with its end, apart on both sides.
func TestStreams(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for name, stdin := range map[string]io.Reader{
		"file": tempFile(t, string(large)), "reader": bytes.NewReader(large),
	} {
		var stdout, stderr bytes.Buffer
		if err := piped(t.Context(), t, "tee /dev/stderr", stdin, &stdout, &stderr); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(stdout.Bytes(), large) || !bytes.Equal(stderr.Bytes(), large) {
			t.Errorf("%s: %d and %d bytes came out", name, stdout.Len(), stderr.Len())
		}
	}
	var both bytes.Buffer
	err := piped(t.Context(), t, "echo a; echo b >&2; exit 3", nil, &both, &both)
	if err == nil || both.String() != "a\nb\n" {
		t.Errorf("one for both: %q, %v", both.String(), err)
	}
	if err := piped(t.Context(), t, "echo a; echo b >&2", nil, nil, nil); err != nil {
		t.Errorf("none: %v", err)
	}
}

// TestUnread: a file goes on where the command stopped, as it would if the command had had it.
func TestUnread(t *testing.T) {
	for name, c := range map[string]struct{ text, script, want string }{
		"nothing read": {"one\ntwo\n", "true", "one\ntwo\n"},
		"a line read":  {"one\ntwo\n", "read x", "two\n"},
		"all read":     {"one\ntwo\n", "cat >/dev/null", ""},
		"more than a pipe holds": {"one\n" + strings.Repeat("x", 1<<20), "read x; head -c 70000 >/dev/null",
			strings.Repeat("x", 1<<20-70000)},
	} {
		file := tempFile(t, c.text)
		if err := piped(t.Context(), t, c.script, file, nil, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := io.ReadAll(file); err != nil || string(left) != c.want {
			t.Errorf("%s: %d bytes are left, %v", name, len(left), err)
		}
	}
}

// TestLateOutput: what a command leaves behind holds nobody up; what comes soon is passed on, and what the command
// itself has written is so however long the caller takes.
func TestLateOutput(t *testing.T) {
	var stdout bytes.Buffer
	begun := time.Now()
	err := piped(t.Context(), t, "(sleep 0.2; echo late; exec sleep 30) & echo soon; echo $! >&2", nil, &stdout, nil)
	if err != nil || stdout.String() != "soon\nlate\n" || time.Since(begun) > 10*time.Second {
		t.Errorf("got %q, %v after %v", stdout.String(), err, time.Since(begun))
	}
	slow := &slowWriter{pause: 200 * time.Millisecond}
	// A daemon that writes without end adds no more than a pipe holds.
	err = piped(t.Context(), t, "head -c 500000 /dev/zero; (sleep 3; yes) & true", nil, slow, nil)
	if err != nil || slow.zeros != 500000 || slow.others > 1<<17 {
		t.Errorf("slow: got %d and %d bytes, %v", slow.zeros, slow.others, err)
	}
}

type slowWriter struct {
	pause         time.Duration
	zeros, others int
}

func (w *slowWriter) Write(text []byte) (int, error) {
	time.Sleep(w.pause)
	zeros := bytes.Count(text, []byte{0})
	w.zeros += zeros
	w.others += len(text) - zeros
	return len(text), nil
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestNobodyReads: the command is told by a signal, as in a pipeline.
func TestNobodyReads(t *testing.T) {
	err := piped(t.Context(), t, "exec yes", nil, brokenWriter{}, nil)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(exit.Error(), "broken pipe") {
		t.Errorf("got %v", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	read.Close()
	if err := piped(t.Context(), t, "exec yes", nil, write, nil); !errors.As(err, &exit) {
		t.Errorf("a pipe: got %v", err)
	}
}

// TestStreamsEnd: the end of the context ends it, though nobody reads and nothing comes.
func TestStreamsEnd(t *testing.T) {
	silent, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer write.Close()
	for name, script := range map[string]string{"blocked": "exec yes", "ended": "head -c 300000 /dev/zero"} {
		blocked := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		begun := time.Now()
		_ = piped(ctx, t, script, silent, blockedWriter{blocked}, nil)
		if time.Since(begun) > 10*time.Second {
			t.Errorf("%s: it took %v", name, time.Since(begun))
		}
		cancel()
		close(blocked)
	}
}

type blockedWriter struct{ until chan struct{} }

func (w blockedWriter) Write([]byte) (int, error) {
	<-w.until
	return 0, unix.EIO
}
