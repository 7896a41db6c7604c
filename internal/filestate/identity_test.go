// SPDX-License-Identifier: Apache-2.0

package filestate

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// TestParseIdentity: what an image's maker writes becomes no path, and no escape sequence of a terminal.
func TestParseIdentity(t *testing.T) {
	for text, fits := range map[string]bool{
		`{}`: true,
		`{"name":"web","uuid":"61d5d0e3-5d5b-4f0d-8f0e-3f1f5a2f0a11","level":"s0:c1"}`: true,
		`{"machine_id":"0123456789abcdef0123456789abcdef"}`:                            true,
		`{"name":"../web"}`:                            false,
		`{"name":"web\nREADY=1"}`:                      false,
		`{"uuid":"../../x"}`:                           false,
		`{"machine_id":"../etc"}`:                      false,
		`{"level":"s0\u001b[2J"}`:                      false,
		`{"level":"` + strings.Repeat("c", 300) + `"}`: false,
		`[`: false,
	} {
		if id, err := parseIdentity([]byte(text)); (err == nil) != fits {
			t.Errorf("%.60s: got %+v, %v", text, id, err)
		}
	}
}

// FuzzIdentity: whatever is read is harmless.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"name":"web","uuid":"61d5d0e3-5d5b-4f0d-8f0e-3f1f5a2f0a11","machine_id":"x","level":"s0:c1"}`))
	f.Add([]byte(`{"name":"a/b"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := parseIdentity(data)
		if err != nil {
			return
		}
		for _, text := range []string{id.Name, id.UUID, id.MachineID, id.Level} {
			if strings.Contains(text, "/") && text != id.Level || printable.Line(text) != text {
				t.Errorf("%q is read of %q", text, data)
			}
		}
	})
}
