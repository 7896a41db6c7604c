// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/internal/manpage"
)

// TestManual compares the page of the program with what it says itself, and both with what it takes.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../man/virt-sandbox-service-generator.8")
	if err != nil {
		t.Fatal(err)
	}
	page := manpage.Plain(text)
	flags, _, _ := options()
	want := []string{"help"}
	flags.VisitAll(func(f *pflag.Flag) { want = append(want, f.Name) })
	slices.Sort(want)
	if got := manpage.Names(`(?m)^  (?:-.,|   ) --([a-z-]+)`, usage); !slices.Equal(got, want) {
		t.Errorf("--help tells of %q, and the options are %q", got, want)
	}
	if got := manpage.Names(`(?m)^\.BR? .*--([a-z-]+)(?: .*)?$`, manpage.Section(page, ".SH OPTIONS")); !slices.Equal(
		got,
		want,
	) {
		t.Errorf("the page tells of %q, and the options are %q", got, want)
	}
}
