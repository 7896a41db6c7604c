// SPDX-License-Identifier: Apache-2.0

package helper

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// What has no first process, or no time left, is ended by force.
func TestBringDown(t *testing.T) {
	for _, c := range []struct {
		name     string
		noDomain bool // it ends before its process is found
		stays    error
		did      []string
		fails    string
	}{
		{name: "by force", did: []string{"destroy", "await web"}},
		{name: "it has ended already", noDomain: true, did: []string{"await web"}},
		{name: "it cannot be ended", stays: errors.New("destroy domain web: refused"), did: []string{"destroy"},
			fails: "destroy domain web: refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New(Options{Root: t.TempDir(), Warn: func(text string, _ ...any) { t.Errorf("warned: %s", text) }})
			dir := m.run("web")
			if err := errors.Join(dir.Make("init"), dir.SetPhase(places.PhaseReady)); err != nil {
				t.Fatal(err)
			}
			domain := &fakeDomain{stays: c.stays}
			if !c.noDomain {
				domain.process = exec.Command("sleep", "60")
				if err := domain.process.Start(); err != nil {
					t.Fatal(err)
				}
				defer func() {
					_ = domain.process.Process.Kill()
					_ = domain.process.Wait()
				}()
			}
			err := m.bringDown(t.Context(), domain, config.New("web"), time.Second)
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("got %v", err)
			}
			if !slices.Equal(domain.did, c.did) || dir.Phase() != places.PhaseStopping {
				t.Errorf("libvirt was asked to %v, in phase %q", domain.did, dir.Phase())
			}
		})
	}
}
