// SPDX-License-Identifier: Apache-2.0

package freezing

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// group is a cgroup that notes what is done to it, and what the state said then.
type group struct {
	dir           places.RunDir
	freezeFails   error
	thawFails     error
	done          []string
	notedAtFreeze string
}

func (g *group) Freeze(context.Context) error {
	g.done, g.notedAtFreeze = append(g.done, "freeze"), g.dir.State().Frozen
	return g.freezeFails
}

func (g *group) Thaw() error {
	g.done = append(g.done, "thaw")
	return g.thawFails
}

// guard counts who watches.
type guard struct {
	watching int
	fails    error
}

func (g *guard) Start() (func(), error) {
	if g.fails != nil {
		return nil, g.fails
	}
	g.watching++
	return func() { g.watching-- }, nil
}

func runDir(t *testing.T) places.RunDir {
	t.Helper()
	dir := places.Root(t.TempDir()).Of("web").Run()
	if err := errors.Join(dir.Make("init"), dir.SetPhase(places.PhaseReady)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A container is noted before it is frozen, watched while it is, and neither after its release.
func TestFreeze(t *testing.T) {
	dir := runDir(t)
	g, w := &group{dir: dir}, new(guard)
	release, err := freeze(t.Context(), dir, "/group", g, w)
	if err != nil {
		t.Fatal(err)
	}
	if g.notedAtFreeze != "/group" || w.watching != 1 || dir.State().Frozen != "/group" {
		t.Errorf("noted as %q, %d watch, state %+v", g.notedAtFreeze, w.watching, dir.State())
	}
	if err := release(); err != nil {
		t.Error(err)
	}
	if strings.Join(g.done, " ") != "freeze thaw" || w.watching != 0 || dir.State().Frozen != "" {
		t.Errorf("did %v, %d watch, state %+v", g.done, w.watching, dir.State())
	}
}

// Whatever fails, the container runs on, or stays noted for whoever can thaw it.
func TestFreezeFails(t *testing.T) {
	failure := errors.New("no")
	for _, c := range []struct {
		name  string
		group group
		guard guard
		did   string
		noted string
	}{
		{name: "nobody watches", guard: guard{fails: failure}},
		{name: "it does not freeze", group: group{freezeFails: failure}, did: "freeze thaw"},
		{name: "nor thaw", group: group{freezeFails: failure, thawFails: failure}, did: "freeze thaw", noted: "/group"},
	} {
		dir := runDir(t)
		g, w := c.group, c.guard
		g.dir = dir
		_, err := freeze(t.Context(), dir, "/group", &g, &w)
		if !errors.Is(err, failure) || strings.Join(g.done, " ") != c.did || dir.State().Frozen != c.noted ||
			w.watching != 0 {
			t.Errorf("%s: %v; did %v, %d watch, state %+v", c.name, err, g.done, w.watching, dir.State())
		}
	}
}

// A container that nobody has frozen is left alone.
func TestThawNothing(t *testing.T) {
	if err := Thaw(runDir(t)); err != nil {
		t.Error(err)
	}
	if err := Thaw(places.Root(t.TempDir()).Of("none").Run()); err != nil {
		t.Error(err)
	}
}
