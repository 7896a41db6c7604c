// SPDX-License-Identifier: Apache-2.0

// Package golden compares what tests get with files of testdata. In: a file's place and a text. Out: the test fails
// where they differ; with -update the file is written anew. For tests only.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the tests got as the new golden files")

// File compares a text with a golden file.
func File(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant (%s)\n%s", got, file, want)
	}
}

// Domain compares a domain's XML with a golden file. The capabilities that a container has by default are written out
// in base alone, another golden file, so that a change of them touches one file.
func Domain(t *testing.T, file, base, got string) {
	t.Helper()
	got += "\n"
	if file != base {
		const begin, end = "    <capabilities policy=\"deny\">\n", "    </capabilities>\n"
		text, err := os.ReadFile(base)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, found := strings.Cut(string(text), begin)
		block, _, whole := strings.Cut(rest, end)
		if !found || !whole {
			t.Fatalf("%s has no capabilities", base)
		}
		got = strings.Replace(got, begin+block+end, "    <!-- capabilities as in "+filepath.Base(base)+" -->\n", 1)
	}
	File(t, file, got)
}
