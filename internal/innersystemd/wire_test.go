// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"

	godbus "github.com/godbus/dbus/v5"
)

// TestCutType splits signatures as the D-Bus specification has them.
func TestCutType(t *testing.T) {
	for types, want := range map[string]string{
		"": "", "s": "s", "su": "s", "as": "as", "aasu": "aas", "a{sv}s": "a{sv}", "(s(uu))o": "(s(uu))", "a": "", "(": "",
		"(s": "", ")": "", "z": "", "()": "()", "a()": "a()", "a(sv": "",
	} {
		if got, rest := cutType(types); got != want || want != "" && got+rest != types {
			t.Errorf("%q: got %q and %q, want %q", types, got, rest, want)
		}
	}
}

// TestSkip passes over a value of each type, before one that is wanted.
func TestSkip(t *testing.T) {
	for _, value := range []any{
		byte(1), int16(2), uint16(3), int32(4), uint32(5), int64(6), uint64(7), 8.5, true, "text", godbus.ObjectPath("/a"),
		godbus.SignatureOf("x"), []string{"a", "bc"}, []uint64{1, 2}, []uint64{}, map[string]uint64{"a": 1},
		struct {
			A byte
			B uint64
			C []struct{ D string }
		}{1, 2, []struct{ D string }{{"x"}}}, godbus.MakeVariant([]any{}), []godbus.Variant{godbus.MakeVariant("v")},
		godbus.MakeVariant(godbus.MakeVariant("nested")),
	} {
		data := encode(&godbus.Message{
			Type: godbus.TypeMethodReply, Body: []any{value, "wanted"},
			Headers: map[godbus.HeaderField]godbus.Variant{godbus.FieldReplySerial: godbus.MakeVariant(uint32(1))},
		})
		header, _, err := sizes((*[fixedHeader]byte)(data))
		if err != nil {
			t.Fatal(err)
		}
		m, err := parse(data, header)
		if err != nil {
			t.Fatal(err)
		}
		first, rest := cutType(m.types)
		m.body.skipOne(first, 0)
		if got := m.body.text(); got != "wanted" || rest != "s" || m.body.failed || m.body.at != len(m.body.data) {
			t.Errorf("after %T of type %s comes %q", value, first, got)
		}
	}
}

// TestNesting: variants within each other end before the stack does, and arrays of nothing end at all.
func TestNesting(t *testing.T) {
	deep := wire{order: binary.LittleEndian, data: []byte(strings.Repeat("\x01v\x00", 100_000))}
	if deep.variant(); !deep.failed {
		t.Error("variants are followed without end")
	}
	empty := wire{order: binary.LittleEndian, data: []byte("\x03a()\x00\x00\x00\x00\x08" + strings.Repeat("\x00", 11))}
	if got := empty.variant(); got != nil {
		t.Errorf("got %v", got)
	}
}

// FuzzMessage reads whatever a bus may say as each of the answers that are read.
func FuzzMessage(f *testing.F) {
	reply := map[godbus.HeaderField]godbus.Variant{godbus.FieldReplySerial: godbus.MakeVariant(uint32(1))}
	for _, body := range []any{
		map[string]godbus.Variant{"LoadState": godbus.MakeVariant("loaded"), "NRestarts": godbus.MakeVariant(uint32(3)),
			"CanReload": godbus.MakeVariant(true), "Other": godbus.MakeVariant([]string{"x"})},
		[]struct{ A, B string }{{"a.service", "b"}}, godbus.ObjectPath("/job/1"),
	} {
		f.Add(encode(&godbus.Message{Type: godbus.TypeMethodReply, Headers: reply, Body: []any{body}}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < fixedHeader {
			return
		}
		header, body, err := sizes((*[fixedHeader]byte)(data))
		if err != nil || header+body > len(data) {
			return
		}
		m, err := parse(data[:header+body], header)
		if err != nil {
			return
		}
		for _, types := range []string{"a{sv}", m.types} {
			w := m.body
			if types == "a{sv}" {
				for name, text := range readProperties(&w).words {
					if !wanted[name] || len(text) > maxWord || !utf8.ValidString(text) || strings.ContainsAny(text, "\n\x1b") {
						t.Errorf("%q is %q", name, text)
					}
				}
			} else {
				w.skip(types, 0)
			}
			if w.at > len(w.data) {
				t.Errorf("read %d bytes of %d", w.at, len(w.data))
			}
		}
		c := connection{jobs: map[string]string{}}
		c.noteLocked(m)
	})
}
