// SPDX-License-Identifier: Apache-2.0

package roottree

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/domain"
)

// TestLaterPlaces: what libvirt mounts over the tree would hide what is mounted there before.
func TestLaterPlaces(t *testing.T) {
	for target, refused := range map[string]bool{
		"/run/x": true, "/run": true, "/tmp": true, "/dev/x": true, "/runner": false, "/srv/tmp": false,
	} {
		dir := t.TempDir()
		tree := Tree{Dir: filepath.Join(dir, "tree"), Sandbox: "web"}
		// Without ids the tree cannot be completed, in a user namespace or out of one.
		err := tree.build(Content{Base: dir, IDs: config.IDMap{}, Binds: []domain.Bind{{Source: "/srv", Target: target}}})
		if err == nil {
			t.Fatalf("%s: a tree without ids is complete", target)
		}
		if got := strings.Contains(err.Error(), "comes later"); got != refused {
			t.Errorf("%s: %v", target, err)
		}
		if _, err := os.Lstat(tree.Dir); refused && err == nil {
			t.Errorf("%s: a directory is left", target)
		}
	}
}

// TestRemoveNothing: a container without ids of its own has no tree.
func TestRemoveNothing(t *testing.T) {
	if err := (Tree{Dir: filepath.Join(t.TempDir(), "tree"), Sandbox: "web"}).Remove(); err != nil {
		t.Error(err)
	}
}

func TestFileSystem(t *testing.T) {
	if got := fileSystem("/proc"); got != "proc" {
		t.Errorf("/proc is %q", got)
	}
	if got := fileSystem("/absent"); got != "of unknown type" {
		t.Errorf("what is not there is %q", got)
	}
}
