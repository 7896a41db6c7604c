// SPDX-License-Identifier: Apache-2.0

package mcs

import (
	"errors"
	"testing"
)

const every = "s0:c0.c1023"

// TestAllocateHandsOutWhatIsFree allocates until nothing is left and counts.
func TestAllocateHandsOutWhatIsFree(t *testing.T) {
	cases := []struct {
		name, among string
		taken       []string
		want        int
	}{
		{"six pairs", "s0:c0.c3", nil, 6},
		{"categories apart", "s0:c5,c100,c1023", nil, 3},
		{"one pair", "s0:c1022,c1023", nil, 1},
		{"one category", "s0:c7", nil, 0},
		{"no categories", "s0", nil, 0},
		{"a taken pair", "s0:c0.c3", []string{"s0:c1,c2"}, 5},
		{"a pair taken twice", "s0:c0.c3", []string{"s0:c1,c2", "s0:c1,c2"}, 5},
		{"a single category takes all its pairs", "s0:c0.c3", []string{"s0:c1"}, 3},
		{"two of them", "s0:c0.c3", []string{"s0:c1", "s0:c3"}, 1},
		{"three categories take their three pairs", "s0:c0.c3", []string{"s0:c1,c2,c3"}, 3},
		{"a level above the whole range takes all", "s0:c0.c3", []string{every}, 0},
		{"a level that has one category in the range", "s0:c0.c3", []string{"s0:c3.c9"}, 6},
		{"levels outside of the range", "s0:c0.c3", []string{"s0:c4", "s0:c5,c6"}, 6},
		{"plain levels", "s0:c0.c3", []string{"s0", "s0"}, 6},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var taken []Level
			for _, text := range c.taken {
				taken = append(taken, level(t, text))
			}
			for n := 0; ; n++ {
				got, err := Allocate(level(t, c.among), taken)
				if err != nil {
					if !errors.Is(err, ErrExhausted) || n != c.want {
						t.Errorf("after %d: %v; want %d and ErrExhausted", n, err, c.want)
					}
					return
				}
				if got.Count() != 2 || !level(t, c.among).Dominates(got) {
					t.Fatalf("%s is no pair of %s", got, c.among)
				}
				for _, other := range taken {
					if other.Count() > 0 && got.Comparable(other) {
						t.Fatalf("%s was given while %s was taken", got, other)
					}
				}
				taken = append(taken, got)
			}
		})
	}
}

func TestAllocateFindsTheLastFreePair(t *testing.T) {
	free := level(t, "s0:c123,c456")
	var taken []Level
	for high := range Categories {
		for low := range high {
			if pair := (Level{}).With(Run{low, low}).With(Run{high, high}); pair != free {
				taken = append(taken, pair)
			}
		}
	}
	got, err := Allocate(level(t, every), taken)
	if err != nil || got != free {
		t.Fatalf("got %s, %v; want %s", got, err, free)
	}
	if got, err := Allocate(level(t, every), append(taken, got)); !errors.Is(err, ErrExhausted) {
		t.Errorf("with every pair taken: got %s, %v; want ErrExhausted", got, err)
	}
}

// TestAllocateReachesEveryPair: none of the choices is left out.
func TestAllocateReachesEveryPair(t *testing.T) {
	seen := make(map[Level]int)
	for range 1200 {
		got, err := Allocate(level(t, "s0:c60.c63"), nil)
		if err != nil {
			t.Fatal(err)
		}
		seen[got]++
	}
	if len(seen) != 6 {
		t.Errorf("got %d of 6 pairs: %v", len(seen), seen)
	}
	for pair, n := range seen {
		if n < 100 {
			t.Errorf("%s came %d times of 1200", pair, n)
		}
	}
}
