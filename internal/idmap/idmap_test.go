// SPDX-License-Identifier: Apache-2.0

package idmap

import "testing"

func TestParse(t *testing.T) {
	cases := []struct {
		text string
		want Range
		ok   bool
	}{
		{"auto", Range{Auto: true}, true},
		{"100000000:65536", Range{Base: 100000000, Count: 65536}, true},
		{"65536:65536", Range{Base: 65536, Count: 65536}, true},
		{"4294901759:65536", Range{Base: 4294901759, Count: 65536}, true},
		{text: "4294901760:65536"}, {text: "65535:65536"}, {text: "65536:65535"}, {text: "0:65536"}, {text: ""}, {text: "no"},
		{
			text: "100000000",
		}, {text: "100000000:"}, {text: ":65536"}, {text: "-1:65536"}, {text: "100000000:65536:0"}, {text: "1e9:65536"},
	}
	for _, c := range cases {
		got, err := Parse(c.text)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: got %+v, %v; want %+v", c.text, got, err, c.want)
		}
		if err == nil && got.String() != c.text {
			t.Errorf("%q is written as %q", c.text, got)
		}
	}
}

func TestIDMapOverlaps(t *testing.T) {
	m := Range{Base: 200000, Count: 65536}
	for base, want := range map[uint32]bool{200000: true, 134465: true, 134464: false, 265535: true, 265536: false} {
		if got := m.Overlaps(Range{Base: base, Count: 65536}); got != want {
			t.Errorf("from %d: got %t, want %t", base, got, want)
		}
	}
}

// FuzzParse: whatever parses is read back as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"auto", "100000000:65536", "0:0", ":"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(m.String()); err != nil || again != m {
			t.Errorf("%q is written as %q and read as %+v (%v)", text, m, again, err)
		}
	})
}
