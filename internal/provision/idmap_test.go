// SPDX-License-Identifier: Apache-2.0

package provision

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/describe"
)

// TestIDMapByDefault: a new sandbox has ids of its own. Where it cannot, it is told why in one line; where it was asked
// to have them all the same, it is refused.
func TestIDMapByDefault(t *testing.T) {
	cannot := errors.New("the kernel cannot map the ids of the file system at /usr (nfs)")
	for _, c := range []struct {
		name       string
		asked      config.IDMap
		network    config.NetworkMode
		unmappable error
		mapped     bool
		says, err  string
	}{
		{name: "default", mapped: true},
		{name: "none", asked: config.IDMap{None: true}},
		{name: "none where it cannot", asked: config.IDMap{None: true}, unmappable: cannot},
		{name: "asked for", asked: config.IDMap{Auto: true}, mapped: true},
		{name: "a range", asked: config.IDMap{Base: 1 << 30, Count: config.IDMapCount}, mapped: true},
		{name: "cannot", unmappable: cannot, says: "web has the user ids of the host: it cannot have ids of its own: "},
		{name: "cannot and asked for", asked: config.IDMap{Auto: true}, unmappable: cannot, err: "at /usr (nfs)"},
		{name: "network", network: config.NetworkHost, says: "Interfaces host does not go with IDMap"},
		{name: "network and asked for", asked: config.IDMap{Auto: true}, network: config.NetworkHost,
			err: "Interfaces host does not go with IDMap"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			h.unmappable = c.unmappable
			o := h.options("web")
			o.IDMap, o.Network = c.asked, c.network
			s, err := h.Create(t.Context(), o)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s.Hardening.IDMap.Mapped() != c.mapped {
				t.Errorf("ids %q", s.Hardening.IDMap)
			}
			said := strings.Join(h.warnings, "\n")
			if !strings.Contains(said, c.says) || c.says == "" && strings.Contains(said, "has the user ids of the host") {
				t.Errorf("said %q", said)
			}
		})
	}
}

// TestIDMapOfArchive: an archive from just anybody does not choose a weaker wall than a new sandbox has.
func TestIDMapOfArchive(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		name       string
		archived   config.IDMap
		trust      bool
		unmappable error
		mapped     bool
		says       string
	}{
		{name: "own", archived: config.IDMap{Auto: true}, mapped: true},
		{name: "the host's", archived: config.IDMap{None: true}, mapped: true, says: "copy has user ids of its own, as new"},
		{name: "trusted", archived: config.IDMap{None: true}, trust: true},
		{name: "cannot", archived: config.IDMap{None: true}, unmappable: errors.New("nfs"),
			says: "copy has the user ids of the host, as in the archive: it cannot have ids of its own: nfs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			o := h.options("web")
			o.IDMap = c.archived
			if _, err := h.Create(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			var archive bytes.Buffer
			if err := h.Export(t.Context(), ExportOptions{Name: "web"}, &archive); err != nil {
				t.Fatal(err)
			}
			h.unmappable = c.unmappable
			if _, err := h.Import(t.Context(), describe.ImportOptions{Name: "copy", Base: h.content, Trust: c.trust},
				&archive); err != nil {
				t.Fatal(err)
			}
			s, err := h.Configs.Load("copy")
			if err != nil {
				t.Fatal(err)
			}
			if s.Hardening.IDMap.Mapped() != c.mapped {
				t.Errorf("ids %q", s.Hardening.IDMap)
			}
			said := strings.Join(h.warnings, "\n")
			if !strings.Contains(said, c.says) || c.says == "" && strings.Contains(said, "copy has") {
				t.Errorf("said %q", said)
			}
		})
	}
}
