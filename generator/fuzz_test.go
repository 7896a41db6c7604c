// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/configtree"
	"github.com/virt-sandbox/virt-sandbox/units"
)

// FuzzUnits: whatever a config says, systemd's parser reads from the units just the directives that we set, each once
// or as often as the config asks for, and every command is ours or asked for by name.
func FuzzUnits(f *testing.F) {
	for _, b := range badConfigs() {
		if len(b.text) < 1000 {
			f.Add(b.text)
		}
	}
	f.Add(good + "[service]\nExecStartPre=/bin/a %i\n[mounts]\nhost-bind=/srv=/a \"b' %c\n")
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.Replace(text, "name=good\n", "name=x\n", 1)
		paths := units.Paths{Config: "/etc/libvirt-sandbox/services/x.sandbox", Helper: helper}
		s, err := config.Parse("x.sandbox", text)
		if err != nil {
			check(t, units.ErrorUnit("x", err.Error(), paths), nil)
			name := guessHostUnit("x", configtree.File{Text: text})
			if name != "" && (name != filepath.Base(name) || len(name) > 235) {
				t.Errorf("unit name %q", name)
			}
			return
		}
		check(t, units.Full(s, paths), s.Service)
		check(t, units.DropIn(s, paths), s.Service)
		check(t, units.Stub(s, paths), nil)
		if !units.IsStub(units.Stub(s, paths), paths.Config) || units.IsStub(units.Full(s, paths), paths.Config) {
			t.Errorf("a stub is not told from a full unit")
		}
	})
}

func check(t *testing.T, text []byte, asked []config.Directive) {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, o := range options {
		if !strings.HasPrefix(o.Name, "Exec") || strings.HasPrefix(strings.TrimPrefix(o.Value, "-"), helper+" ") {
			continue
		}
		found := false
		for _, d := range asked {
			found = found || d.Name == o.Name && strings.TrimSpace(d.Value) == strings.TrimSpace(o.Value)
		}
		if !found {
			t.Errorf("%s=%s comes from nowhere in\n%s", o.Name, o.Value, text)
		}
	}
}
