// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

func TestPlanWriteThenRead(t *testing.T) {
	cases := map[string]Plan{
		"units": {
			Name:       "web",
			UUID:       "01234567-89ab-4def-8123-456789abcdef",
			BootTarget: "multi-user.target",
		},
		"command": {
			Name: "job", UUID: "u", Command: []string{"/bin/sh", "-c", "echo \"<&>\"\n", "", "not UTF-8 \xff"},
			UID: 1000, GID: 4294967294, Groups: []uint32{4, 0}, Environment: []string{"A=b=c", "EMPTY=", "U=grüß\u2028",
				"X=\xff"}, Directory: "/",
		},
		"empty": {},
	}
	for name, plan := range cases {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "sandbox.json")
			if err := plan.Write(file, 0); err != nil {
				t.Fatal(err)
			}
			got, err := ReadPlan(file)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, plan) {
				t.Errorf("got %+v, want %+v", *got, plan)
			}
		})
	}
}

// Nobody but root, of the host and inside, reads a plan, which has the environment.
func TestPlanIsForRoot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	if err := (&Plan{}).Write(file, 0); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("with the host's ids: %v, %v", info.Mode(), err)
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	if err := (&Plan{}).Write(file, 100000); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm() != 0o640 || owner.Uid != 0 || owner.Gid != 100000 {
		t.Errorf("with ids of its own: %v of %d:%d", info.Mode(), owner.Uid, owner.Gid)
	}
}

func TestPlanErrors(t *testing.T) {
	dir := t.TempDir()
	if err := (&Plan{}).Write(filepath.Join(dir, "absent/sandbox.json"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write into no directory: got %v, want ErrNotExist", err)
	}
	if _, err := ReadPlan(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadPlan of no file: got %v, want ErrNotExist", err)
	}
	file := filepath.Join(dir, "broken")
	for _, text := range []string{"", "{", `{"name": 1}`, `{"uid": -1}`, `{} {}`} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if plan, err := ReadPlan(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("ReadPlan of %q: got %+v, %v; want an error that names the file", text, plan, err)
		}
	}
}

// A plan that programs of another version wrote is refused, not taken for one of ours.
func TestPlanOfAnotherVersion(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sandbox.json")
	for _, text := range []string{`{"name": "web"}`, `{"format": 2, "name": "web"}`} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if plan, err := ReadPlan(file); err == nil || !strings.Contains(err.Error(), "this program knows 1") {
			t.Errorf("ReadPlan of %s: %+v, %v", text, plan, err)
		}
	}
}
