// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/textmerge"
)

func seeds(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob(filepath.Join(configs, "*", "*"+Suffix))
	if err != nil || len(files) == 0 {
		f.Fatalf("no examples below %s (%v)", configs, err)
	}
	var texts []string
	for _, file := range files {
		text := read(f, file)
		name := strings.TrimSuffix(filepath.Base(file), Suffix)
		texts = append(texts, strings.Replace(text, "name="+name+"\n", "name=x\n", 1))
	}
	return texts
}

// FuzzParse: whatever parses can be written, and reads back as the same.
func FuzzParse(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sandbox, err := Parse("x.sandbox", text)
		if err != nil {
			return
		}
		written := sandbox.Text()
		again, err := Parse("x.sandbox", written)
		if err != nil {
			t.Fatalf("cannot read what Text wrote: %v\n%q", err, written)
		}
		if !reflect.DeepEqual(again, sandbox) {
			t.Errorf("read back\n%+v\nwas\n%+v", again, sandbox)
		}
	})
}

// FuzzMerge: a config merged into any other reads as itself. Of variables the order may differ, it means nothing; so
// may that of directives of different names.
func FuzzMerge(f *testing.F) {
	texts := seeds(f)
	for i, text := range texts {
		f.Add(text, texts[(i+1)%len(texts)])
	}
	f.Fuzz(func(t *testing.T, old, text string) {
		sandbox, err := Parse("x.sandbox", text)
		if err != nil {
			return
		}
		if _, err := Parse("x.sandbox", old); err != nil {
			return
		}
		lines, err := parseLines("x.sandbox", old)
		if err != nil {
			t.Fatal(err)
		}
		merged := sandbox.mergeInto(lines)
		again, err := Parse("x.sandbox", merged)
		if err != nil {
			t.Fatalf("cannot read what was merged: %v\n%q", err, merged)
		}
		for _, s := range []*Sandbox{sandbox, again} {
			slices.SortFunc(s.Environment, func(a, b Variable) int { return cmp.Compare(a.Name, b.Name) })
			for _, directives := range [][]Directive{s.Unit, s.Service} {
				slices.SortStableFunc(directives, func(a, b Directive) int { return cmp.Compare(a.Name, b.Name) })
			}
		}
		if !reflect.DeepEqual(again, sandbox) {
			t.Errorf("merged\n%q\nreads as\n%+v\nwant\n%+v", merged, again, sandbox)
		}
	})
}

// FuzzQuote: every value that a command line can hold survives being written.
func FuzzQuote(f *testing.F) {
	for _, value := range []string{"", " a", `"`, `\`, "a\nb", "\xff", "\ufffd", "\u0085", "\u2028", "\ufeff", "#",
		"[x]"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if back, err := readBack(value); err != nil || back != value {
			t.Errorf("%q is written as %s and read as %q (%v)", value, textmerge.Quote(value), back, err)
		}
	})
}
