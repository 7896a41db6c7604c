// SPDX-License-Identifier: Apache-2.0

package stdin

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// fed runs a shell command with an input by a feed, and returns what it printed.
func fed(t *testing.T, from io.Reader, script string) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sh", "-c", script)
	command.Stdin = read
	var out bytes.Buffer
	command.Stdout = &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	read.Close()
	feed, err := Start(from, write)
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("%s: %v", script, err)
	}
	feed.End()
	return out.String()
}

// pipeOf returns a pipe that text is written to, and ends.
func pipeOf(t *testing.T, text string) *os.File {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	go func() {
		_, _ = io.WriteString(write, text)
		write.Close()
	}()
	return read
}

func fileOf(t *testing.T, text string) *os.File {
	t.Helper()
	name := t.TempDir() + "/input"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// TestGivesBack: whoever reads the input next gets what the command has not read, of files and of pipes.
func TestGivesBack(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 1<<18) // 4 MiB
	for _, c := range []struct{ name, input, script, out, rest string }{
		{"nothing is read", "1\n2\n3\n", ":", "", "1\n2\n3\n"},
		{"a line", "1\n2\n3\n", "read n; echo $n", "1\n", "2\n3\n"},
		{"all", "1\n2\n", "cat", "1\n2\n", ""},
		{"some bytes", "12345", "head -c 2", "12", "345"},
		{"nothing of much", long, ":", "", long},
		{"a page and more", long, "dd bs=1 count=5000 2>/dev/null", long[:5000], long[5000:]},
		{"all of much", long, "cat", long, ""},
		{"an empty one", "", "cat", "", ""},
		{"a closed one", "1\n2\n", "exec <&-; sleep .1", "", "1\n2\n"},
	} {
		for kind, file := range map[string]*os.File{"file": fileOf(t, c.input), "pipe": pipeOf(t, c.input)} {
			t.Run(c.name+" of a "+kind, func(t *testing.T) {
				if got := fed(t, file, c.script); got != c.out {
					t.Errorf("it read %.40q, %d bytes; want %d", got, len(got), len(c.out))
				}
				rest, err := io.ReadAll(file)
				if err != nil || string(rest) != c.rest {
					t.Errorf("%d bytes are left (%.20q), %v; want %d", len(rest), rest, err, len(c.rest))
				}
			})
		}
	}
}

// TestTurns: commands that take turns at one input read on where the one before stopped, also of what comes later.
func TestTurns(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	for n, line := range []string{"one\n", "two\nthree\n", "", "four\n"} {
		if _, err := io.WriteString(write, line); err != nil {
			t.Fatal(err)
		}
		want := []string{"one\n", "two\n", "three\n", "four\n"}[n]
		if got := fed(t, read, "read n; echo $n"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	write.Close()
	if got := fed(t, read, "cat"); got != "" {
		t.Errorf("at the end there is %q", got)
	}
}

// TestEndsWithTheCommand: a writer that never ends does not keep it, and an input that is no file is read as any.
func TestEndsWithTheCommand(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if got := fed(t, read, "echo done"); got != "done\n" {
		t.Errorf("got %q", got)
	}
	if got := fed(t, strings.NewReader("text"), "cat"); got != "text" {
		t.Errorf("got %q", got)
	}
	if got := fed(t, nil, "cat"); got != "" {
		t.Errorf("got %q", got)
	}
	zero, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer zero.Close()
	if got := fed(t, zero, "head -c 100000 | wc -c"); got != "100000\n" {
		t.Errorf("got %q", got)
	}
}

// TestHostileReader: a command that writes to its own input does not have the caller read again what came before, nor
// lose what it has.
func TestHostileReader(t *testing.T) {
	file := fileOf(t, "before\nrest\n")
	if _, err := file.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	const writes = "dd if=/dev/zero of=/proc/self/fd/0 bs=2000 count=1 conv=notrunc oflag=append,nonblock 2>/dev/null; :"
	fed(t, file, writes)
	if rest, err := io.ReadAll(file); err != nil || string(rest) != "rest\n" {
		t.Errorf("of the file there is left %q, %v", rest, err)
	}
	pipe := pipeOf(t, "rest\n")
	fed(t, pipe, writes)
	if rest, err := io.ReadAll(pipe); err != nil || string(rest) != "rest\n" {
		t.Errorf("of the pipe there is left %q, %v", rest, err)
	}
}

func BenchmarkPipe(b *testing.B) {
	b.SetBytes(256 << 20)
	for range b.N {
		source := exec.Command("head", "-c", "256M", "/dev/zero")
		from, err := source.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		read, write, err := os.Pipe()
		if err != nil {
			b.Fatal(err)
		}
		sink := exec.Command("sh", "-c", "cat >/dev/null")
		sink.Stdin = read
		if err := sink.Start(); err != nil {
			b.Fatal(err)
		}
		read.Close()
		if err := source.Start(); err != nil {
			b.Fatal(err)
		}
		feed, err := Start(from.(*os.File), write)
		if err != nil {
			b.Fatal(err)
		}
		_ = sink.Wait()
		feed.End()
		_ = source.Wait()
	}
}
