// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
	"github.com/virt-sandbox/virt-sandbox/internal/innersystemd"
)

// What a person lists stands beside what is planned, and each path stands there once, with the origin that tells more.
func TestBeside(t *testing.T) {
	paths := func(origin string, list ...string) (paths []config.PrivatePath) {
		for _, p := range list {
			paths = append(paths, config.PrivatePath{Path: p, Origin: origin})
		}
		return paths
	}
	got := beside(paths("admin", "/etc/httpd/conf", "/etc/httpd2", "/opt/x", "/srv", "/var/www"),
		paths("package:httpd", "/etc/httpd", "/srv/www", "/srv2", "/var/www"))
	want := append(paths("package:httpd", "/etc/httpd", "/srv2", "/var/www"),
		paths("admin", "/etc/httpd2", "/opt/x", "/srv")...)
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A secret of the host that configuration names is told of by create and after a failed start, until somebody asks
// for it or puts one there.
func TestTellLeft(t *testing.T) {
	needRoot(t)
	h := newHost(t)
	hosttest.Put(t, h.Host.Root, "/etc/web/web.conf", "port=80\nkey=/srv/web.key\n")
	hosttest.Put(t, h.Host.Root, "/srv/web.key", "secret")
	if err := os.Chmod(h.Host.Root+"/srv/web.key", 0o600); err != nil {
		t.Fatal(err)
	}
	told := func() bool {
		defer func() { h.warnings = nil }()
		return slices.ContainsFunc(h.warnings, func(line string) bool {
			return strings.Contains(line, "/etc/web/web.conf:2 names /srv/web.key, ") &&
				strings.Contains(line, "Include /srv/web.key")
		})
	}
	s := h.create(t, "web")
	if !told() {
		t.Error("create does not tell")
	}
	failure := fmt.Errorf("start: %w", &innersystemd.UnitError{})
	if h.TellLeft(t.Context(), s, failure); !told() {
		t.Error("a failed start does not tell")
	}
	if h.TellLeft(t.Context(), s, errors.New("no memory")); told() {
		t.Error("any failure tells")
	}
	if hosttest.Reads(t, s.Content, "/srv/web.key") != "none" {
		t.Error("the secret is copied")
	}
	// A directory of the container's that leads to the host's is not the host's.
	if err := errors.Join(os.RemoveAll(s.Content+"/srv"), os.Symlink(h.Host.Root+"/srv", s.Content+"/srv")); err != nil {
		t.Fatal(err)
	}
	if h.TellLeft(t.Context(), s, failure); !told() {
		t.Error("a link out of the content hides what is missing")
	}
	if err := os.Remove(s.Content + "/srv"); err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, s.Content, "/srv/web.key", "its own")
	if h.TellLeft(t.Context(), s, failure); told() {
		t.Error("what is there is told of")
	}
}
