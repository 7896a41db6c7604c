// SPDX-License-Identifier: Apache-2.0

package suggest

import (
	"strings"
	"testing"
)

func TestClosest(t *testing.T) {
	known := []string{"create", "start", "stop", "list", "status", "unit", "memory", "limits", "sandbox", "cpus"}
	for word, want := range map[string]string{
		"strat": "start", "lst": "list", "unti": "unit", "limit": "limits", "Sandbox": "sandbox", "cpu": "cpus",
		"memry": "memory", "statsu": "status", "craete": "create", "start": "start", "stp": "stop",
		"frobnicate": "", "": "", "x": "", "colour": "", "ls": "", strings.Repeat("start", 20): "", "\xff\xfe": "",
	} {
		if got := Closest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	if got := DidYouMean("[%s]", "limit", []string{"limits"}); got != "; did you mean [limits]?" {
		t.Error(got)
	}
	if got := DidYouMean("[%s]", "colour", []string{"limits"}); got != "" {
		t.Error(got)
	}
}

func FuzzClosest(f *testing.F) {
	f.Add("strat", "start")
	f.Add("", "\xff")
	f.Fuzz(func(t *testing.T, word, known string) {
		if got := Closest(word, []string{known}); got != "" && got != known {
			t.Errorf("%q of %q", got, known)
		}
		if d := distance(word, known); d != distance(known, word) {
			t.Errorf("%q and %q are %d apart one way only", word, known, d)
		}
	})
}
