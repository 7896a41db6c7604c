package mcs

import (
	"errors"
	"strings"
	"testing"
)

// TestParse gives the text of each level as the kernel would print it; "" where Parse refuses, for the reason named.
func TestParse(t *testing.T) {
	cases := []struct{ text, want, reason string }{
		{text: "s0", want: "s0"},
		{text: "s0:c0", want: "s0:c0"},
		{text: "s0:c1023", want: "s0:c1023"},
		{text: "s0:c1,c2", want: "s0:c1,c2"},
		{text: "s0:c2,c1", want: "s0:c1,c2"},
		{text: "s0:c7,c7", want: "s0:c7"},
		{text: "s0:c0.c1", want: "s0:c0,c1"},
		{text: "s0:c1,c2,c3", want: "s0:c1.c3"},
		{text: "s0:c0.c3,c7", want: "s0:c0.c3,c7"},
		{text: "s0:c0.c5,c3.c9,c4", want: "s0:c0.c9"},
		{text: "s0:c0.c1023", want: "s0:c0.c1023"},
		{text: "s0:c1,c3,c5.c7,c9,c10", want: "s0:c1,c3,c5.c7,c9,c10"},

		{text: "", reason: `sensitivity "" is not s0`},
		{text: "s1", reason: `sensitivity "s1" is not s0`},
		{text: "S0", reason: `sensitivity "S0" is not s0`},
		{text: " s0", reason: `sensitivity " s0" is not s0`},
		{text: "s0-s0:c1", reason: `sensitivity "s0-s0" is not s0`},
		{text: "s0:", reason: `"" is not a category`},
		{text: "s0:c", reason: `"c" is not a category`},
		{text: "s0:1", reason: `"1" is not a category`},
		{text: "s0:c01", reason: `"c01" is not a category`},
		{text: "s0:c-1", reason: `"c-1" is not a category`},
		{text: "s0:c-0", reason: `"c-0" is not a category`},
		{text: "s0:c+1", reason: `"c+1" is not a category`},
		{text: "s0:c1,,c2", reason: `"" is not a category`},
		{text: "s0:c1,", reason: `"" is not a category`},
		{text: "s0:c1, c2", reason: `" c2" is not a category`},
		{text: "s0:c1\n", reason: "is not a category"},
		{text: "s0:c1.", reason: `"" is not a category`},
		{text: "s0:c1.c2.c3", reason: `"c2.c3" is not a category`},
		{text: "s0:c1:c2", reason: `"c1:c2" is not a category`},
		{text: "s0:c99999999999999999999", reason: "is not a category"},
		{text: "s0:c1024", reason: "category c1024 is above c1023"},
		{text: "s0:c0.c1024", reason: "category c1024 is above c1023"},
		{text: "s0:c1.c0", reason: "range c1.c0 does not ascend"},
		{text: "s0:c1.c1", reason: "range c1.c1 does not ascend"},
	}
	for _, c := range cases {
		level, err := Parse(c.text)
		if c.reason != "" {
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%q: got %s, %v; want %s", c.text, level, err, c.reason)
			}
			continue
		}
		if err != nil || level.String() != c.want {
			t.Errorf("%q: got %s, %v; want %s", c.text, level, err, c.want)
		}
	}
}

func TestAllocateNeverRepeatsItself(t *testing.T) {
	var taken []Level
	seen := make(map[string]bool)
	for range 2000 {
		level, err := Allocate(taken)
		if err != nil {
			t.Fatalf("after %d: %v", len(taken), err)
		}
		if seen[level.String()] || level.Index() < 0 {
			t.Fatalf("%s after %d: given before (%t), or no pair", level, len(taken), seen[level.String()])
		}
		seen[level.String()] = true
		taken = append(taken, level)
	}
}

func TestAllocateFindsTheLastFreePair(t *testing.T) {
	const free = "s0:c123,c456"
	var taken []Level
	for n := range Categories * (Categories - 1) / 2 {
		if level := pairAt(n); level.String() != free {
			taken = append(taken, level)
		}
	}
	level, err := Allocate(taken)
	if err != nil || level.String() != free {
		t.Fatalf("got %s, %v; want %s", level, err, free)
	}
	if level, err := Allocate(append(taken, level)); !errors.Is(err, ErrExhausted) {
		t.Errorf("with every pair taken: got %s, %v; want ErrExhausted", level, err)
	}
}

// TestAllocateCountsOnlyPairs: levels of one, three or no categories take no pair away, however many they are.
func TestAllocateCountsOnlyPairs(t *testing.T) {
	var taken []Level
	for _, text := range []string{"s0", "s0:c1", "s0:c1.c3", "s0:c0.c1023"} {
		level, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for range Categories * (Categories - 1) / 2 / 4 {
			taken = append(taken, level)
		}
	}
	if level, err := Allocate(taken); err != nil || level.Index() < 0 {
		t.Errorf("got %s, %v; want a pair", level, err)
	}
}

func TestIndexNumbersEveryPair(t *testing.T) {
	n := 0
	for high := range Categories {
		for low := range high {
			level := Level{categories: []int{low, high}}
			if got := level.Index(); got != n {
				t.Fatalf("%s has number %d, want %d", level, got, n)
			}
			if got := pairAt(n); got.String() != level.String() {
				t.Fatalf("pair %d is %s, want %s", n, got, level)
			}
			n++
		}
	}
	for _, text := range []string{"s0", "s0:c1", "s0:c1.c3"} {
		level, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := level.Index(); got != -1 {
			t.Errorf("%s has number %d, want -1", text, got)
		}
	}
}

// FuzzParse: what Parse takes, String writes in a form of its own that means the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"s0", "s0:c1", "s0:c1,c2", "s0:c0.c1023", "s0:c3,c0.c9,c3", "s1:c1", "s0:c01", "s0:c1.c0", "s0:,"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		level, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(level.String())
		if err != nil || again.String() != level.String() {
			t.Errorf("%q is written as %s, which reads as %s (%v)", text, level, again, err)
		}
	})
}

func pairAt(n int) Level {
	pair := nthPair(n)
	return Level{categories: pair[:]}
}
