// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestEntry: what execute asks for arrives; nothing else is taken for it.
func TestEntry(t *testing.T) {
	want := Entry{
		Namespaces: []int{8, 9}, Tasks: []int{4}, Bounding: 0xa80425fb, SystemCalls: []byte{6, 0}, Label: "u:r:t:s0:c1,c2",
	}
	args, err := want.Args([]string{"sh", "-c", ""})
	if err != nil || len(args) != 5 || args[0] != EnterWord || !slices.Equal(args[2:], []string{"sh", "-c", ""}) {
		t.Fatalf("got %q, %v", args, err)
	}
	var got Entry
	if err := json.Unmarshal([]byte(args[1]), &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, args := range [][]string{
		nil, {"enter"}, {"enter", "{}"}, {"enter", "{", "true"}, {"enter", "8", "true"}, {"exit", "{}", "true"},
	} {
		if status, err := Enter(args); status != 2 || err == nil {
			t.Errorf("%q: got %d, %v", args, status, err)
		}
	}
}

// TestEnterWhatEnded enters a namespace whose first process has ended: the command is not run, and that is a failure.
func TestEnterWhatEnded(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	first := exec.Command("sleep", "100")
	first.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/pid", first.Process.Pid))
	_ = first.Process.Kill()
	_ = first.Wait()
	if err != nil {
		t.Fatal(err)
	}
	defer namespace.Close()
	entry := Entry{Namespaces: []int{int(namespace.Fd())}, Bounding: math.MaxUint64}
	status, err := entry.run([]string{"true"}, os.Environ())
	if status != 1 || err == nil || !strings.Contains(err.Error(), "it is ending") {
		t.Errorf("got %d, %v", status, err)
	}
}

// TestFind has two directories in PATH; what it finds is given relative to both.
func TestFind(t *testing.T) {
	top := t.TempDir()
	for name, mode := range map[string]os.FileMode{
		"bin/tool": 0o755, "bin/others-only": 0o601, "bin/plain": 0o644, "bin/both": 0o644,
		"sbin/both": 0o755, "sbin/late": 0o755, "sbin/tool": 0o755, "elsewhere/hidden": 0o755,
	} {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(top, "bin/dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"bin/link": "tool", "bin/dangling": "absent"} {
		if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	path := []string{"LANG=C", "PATH=" + top + "/bin:" + top + "/sbin", "XPATH=" + top + "/elsewhere"}
	cases := []struct {
		name, command string
		environment   []string
		file          string
		status        int
	}{
		{"in the first directory", "tool", path, "bin/tool", 0},
		{"in the second directory", "late", path, "sbin/late", 0},
		{"executable in the second directory", "both", path, "sbin/both", 0},
		{"executable for others", "others-only", path, "bin/others-only", 0},
		{"by a link", "link", path, "bin/link", 0},
		{"by its path", top + "/elsewhere/hidden", path, "elsewhere/hidden", 0},
		{"by its path without PATH", top + "/bin/tool", nil, "bin/tool", 0},
		{"not there", "absent", path, "", StatusNotFound},
		{"not in PATH", "hidden", path, "", StatusNotFound},
		{"no PATH", "tool", nil, "", StatusNotFound},
		{"dangling link", "dangling", path, "", StatusNotFound},
		{"no such path", top + "/bin/absent", path, "", StatusNotFound},
		{"below a file", top + "/bin/tool/x", path, "", StatusNotFound},
		{"not executable", "plain", path, "", StatusNotExecutable},
		{"not executable by its path", top + "/bin/plain", path, "", StatusNotExecutable},
		{"a directory", "dir", path, "", StatusNotExecutable},
		{"a directory by its path", top + "/bin", path, "", StatusNotExecutable},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file, status := FindProgram(c.command, c.environment)
			want := ""
			if c.file != "" {
				want = filepath.Join(top, c.file)
			}
			if file != want || status != c.status {
				t.Errorf("%q: got %q, %d; want %q, %d", c.command, file, status, want, c.status)
			}
		})
	}
}
