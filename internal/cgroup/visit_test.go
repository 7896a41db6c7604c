// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestVisit: a process is in the other's group while something is done, and in its own before and after, whatever comes
// of it. One that does not come back is told from all else.
func TestVisit(t *testing.T) {
	root := t.TempDir()
	group := func(dir string) (Groups, string) {
		file := filepath.Join(root, dir, "cgroup.procs")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		return Groups{root, map[string]string{"": filepath.Dir(file)}}, file
	}
	own, home := group(`machine.slice/machine-lxc\x2d7\x2dweb.scope/libvirt`)
	unit, away := group("system.slice/httpd@web.service")
	holds := func(file string) string {
		text, _ := os.ReadFile(file)
		return string(text)
	}
	if !unit.IsOfUnit("httpd@web.service") || unit.IsOfUnit("web.service") || own.IsOfUnit("httpd@web.service") {
		t.Error("units are mistaken")
	}
	failure := errors.New("in vain")
	for _, want := range []error{nil, failure} {
		os.Remove(home)
		err := own.Visit(unit, 8, func() error {
			if holds(away) != "8" || holds(home) != "" {
				t.Error("it is not away")
			}
			return want
		})
		if holds(home) != "8" || !errors.Is(err, want) || errors.Is(err, ErrAway) {
			t.Errorf("at home is %q, error %v", holds(home), err)
		}
	}
	err := own.Visit(unit, 8, func() error { return os.RemoveAll(filepath.Dir(home)) })
	if !errors.Is(err, ErrAway) {
		t.Errorf("of one that does not come back: %v", err)
	}
	if err := (Groups{}).Visit(unit, 8, func() error { return failure }); err == nil || errors.Is(err, failure) {
		t.Errorf("without version 2: %v", err)
	}
}
