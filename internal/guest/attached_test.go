// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/console"
)

// TestFindCommand: PATH is that of the command, the directory its home if it is there, and what is missing has a
// shell's status.
func TestFindCommand(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	tool := filepath.Join(dir, "tool")
	if err := os.WriteFile(tool, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		plan   Plan
		path   string
		dir    string
		status uint8
	}{
		{"by path", Plan{Command: []string{tool}, Directory: dir}, tool, dir, 0},
		{
			"in the command's PATH",
			Plan{Command: []string{"tool"}, Directory: dir, Environment: []string{"PATH=/bin:" + dir}},
			tool,
			dir,
			0,
		},
		{"in the directory", Plan{Command: []string{"./tool"}, Directory: dir}, "./tool", dir, 0},
		{"not in the usual PATH", Plan{Command: []string{"tool"}, Directory: dir}, "", "", StatusNotFound},
		{"no home", Plan{Command: []string{tool}, Directory: "/no/such/home"}, tool, "/", 0},
		{"a directory", Plan{Command: []string{dir}, Directory: dir}, "", "", StatusNotExecutable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			command, exit := find(&c.plan)
			if exit.Status != c.status || (exit.Status != 0) != (exit.Message != "") {
				t.Fatalf("exit %+v", exit)
			}
			if command != nil && (command.Path != c.path || command.Dir != c.dir || !slices.Contains(command.Env,
				"container=lxc-libvirt")) {
				t.Errorf("got %+v", command)
			}
		})
	}
}

// TestStartFailure: what the kernel says becomes the status of a shell.
func TestStartFailure(t *testing.T) {
	for err, want := range map[error]console.Exit{
		&os.PathError{Op: "fork/exec", Path: "x", Err: syscall.ENOENT}: {Status: 127, Message: "x: no such file or " +
			"directory"},
		&os.PathError{Op: "fork/exec", Path: "x", Err: syscall.EACCES}:  {Status: 126, Message: "x: permission denied"},
		&os.PathError{Op: "fork/exec", Path: "x", Err: syscall.ENOEXEC}: {Status: 126, Message: "x: exec format error"},
		errors.New("other"): {Status: 125, Message: "x: other"},
	} {
		if got := startFailure("x", err); got != want {
			t.Errorf("%v: got %+v", err, got)
		}
	}
}

// TestStreams: pipes lead the right way, and a terminal has the size asked for.
func TestStreams(t *testing.T) {
	outer, inner, err := streams(console.Start{}, uint32(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	for n, ends := range [3][2]*os.File{{outer[0], inner[0]}, {inner[1], outer[1]}, {inner[2], outer[2]}} {
		fmt.Fprint(ends[0], n)
		ends[0].Close()
		if got, err := io.ReadAll(ends[1]); string(got) != fmt.Sprint(n) || err != nil {
			t.Errorf("stream %d: %q, %v", n, got, err)
		}
	}
	outer, inner, err = streams(
		console.Start{Terminal: true, ErrorApart: true, Size: console.Size{Rows: 33, Columns: 99}},
		uint32(os.Getuid()),
	)
	if err != nil {
		t.Fatal(err)
	}
	if outer[1] != nil || inner[0] != inner[1] || inner[2] == inner[0] || outer[2] == nil {
		t.Errorf("a terminal has %v outside and %v inside", outer, inner)
	}
}
