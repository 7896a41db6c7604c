// SPDX-License-Identifier: Apache-2.0

package dropin

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

// saying makes settings of words: l=1 of the list l, v=1 of the value v, l= forgets, and | begins the next file.
func saying(text string) []Said {
	var all []Said
	dropIn := false
	for i, word := range strings.Fields(text) {
		key, value, found := strings.Cut(word, "=")
		if !found {
			dropIn = true
			continue
		}
		e := textmerge.Entry{Section: "s", Key: key, Value: value}
		all = append(all, Said{Entry: e, Raw: value, Line: i, DropIn: dropIn, Resets: dropIn && value == ""})
	}
	return all
}

func isList(key Key) bool { return strings.HasPrefix(key.Key, "l") }

func words(entries []textmerge.Entry) string {
	var out []string
	for _, e := range entries {
		out = append(out, e.Key+"="+e.Value)
	}
	return strings.Join(out, " ")
}

func effective(all []Said) []textmerge.Entry {
	var out []textmerge.Entry
	for _, s := range Effective(all, isList) {
		out = append(out, s.Entry)
	}
	return out
}

func TestEffective(t *testing.T) {
	for text, want := range map[string]string{
		"v=1 l=1 l=2":                 "v=1 l=1 l=2",
		"v=1 | v=2":                   "v=2",
		"v=1 | v=2 | v=3":             "v=3",
		"l=1 | l=2 | l=3":             "l=1 l=2 l=3",
		"l=1 l=2 | l= l=3":            "l=3",
		"l=1 lx=1 | l=":               "lx=1",
		"v=1 | v=":                    "",
		"v=1 | v= v=2":                "v=2",
		"l=1 | l=2 | l= | l=3":        "l=3",
		"v=1 w=2 | w=3 v=4 | v=":      "w=3",
		"":                            "",
		"l=1 v=1 | l=1 v=1":           "l=1 l=1 v=1",
		"v=1 | v=2 | v= | l=1 | v=3 ": "l=1 v=3",
	} {
		if got := words(effective(saying(text))); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}

func TestWithout(t *testing.T) {
	for _, c := range []struct{ settings, said, want string }{
		{"v=1 l=1", "", "v=1 l=1"},
		{"v=1 l=1 l=2", "| l=2 v=1", "l=1"},
		{"v=2 w=1", "v=1 | v=2", "w=1 v=1"},
		{"l=3 l=4", "l=1 | l= l=3", "l=1"},
		{"l=1 l=1", "| l=1", "l=1"},
	} {
		var settings []textmerge.Entry
		for _, s := range saying(c.settings) {
			settings = append(settings, s.Entry)
		}
		same := func(e textmerge.Entry) textmerge.Entry { return e }
		if got := words(Without(settings, saying(c.said), isList, same)); got != c.want {
			t.Errorf("%s beside %s: got %s, want %s", c.settings, c.said, got, c.want)
		}
	}
}

// FuzzDropIns: what counts is what a reader keeps who goes from line to line; and what Without leaves of it says the
// same again with the drop-ins.
func FuzzDropIns(f *testing.F) {
	for _, text := range []string{"v=1 l=1 | v=2 l=2 | l= l=3 v=", "l=1 | l=", "v=1 l=1 l=1 | l=1 | v=1", "| l= | v="} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all := saying(text)
		kept := make(map[string][]string)
		for _, s := range all {
			switch {
			case s.Resets:
				kept[s.Key] = nil
			case isList(KeyOf(s.Entry)):
				kept[s.Key] = append(kept[s.Key], s.Value)
			default:
				kept[s.Key] = []string{s.Value}
			}
		}
		if got := byKey(effective(all)); got != fmt.Sprint(without(kept)) {
			t.Errorf("%q: got %s, want %v", text, got, kept)
		}
		now := effective(all)
		rest := Without(now, all, isList, func(e textmerge.Entry) textmerge.Entry { return e })
		var again []Said
		for _, e := range rest {
			again = append(again, Said{Entry: e})
		}
		dropIns := slices.DeleteFunc(slices.Clone(all), func(s Said) bool { return !s.DropIn })
		if got := byKey(effective(slices.Concat(again, dropIns))); sorted(got) != sorted(byKey(now)) {
			t.Errorf("%q: with %s left it says %s, want %s", text, words(rest), got, byKey(now))
		}
	})
}

func byKey(entries []textmerge.Entry) string {
	values := make(map[string][]string)
	for _, e := range entries {
		values[e.Key] = append(values[e.Key], e.Value)
	}
	return fmt.Sprint(without(values))
}

func without(values map[string][]string) map[string][]string {
	for key := range values {
		if len(values[key]) == 0 {
			delete(values, key)
		}
	}
	return values
}

func sorted(text string) string {
	all := []byte(text)
	slices.Sort(all)
	return string(all)
}
