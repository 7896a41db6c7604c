// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/internal/manpage"
)

// TestManual compares the page of the program with what it says itself, and both with what it takes.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../man/virt-sandbox-service-helper.8")
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
	verbs := manpage.Names(`(?m)^  ([a-z]+) NAME `, usage)
	if got := manpage.Names(`(?m)^\.BI ([a-z]+) " NAME"$`, manpage.Section(page, ".SH VERBS")); !slices.Equal(got, verbs) {
		t.Errorf("the page tells of %q, and --help of %q", got, verbs)
	}
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	var taken []string
	for _, line := range regexp.MustCompile(`(?m)^\tcase (".*"):$`).FindAllStringSubmatch(string(source), -1) {
		taken = append(taken, manpage.Names(`"([a-z]+)"`, line[1])...)
	}
	slices.Sort(taken)
	if !slices.Equal(taken, verbs) {
		t.Errorf("--help tells of %q, and the program takes %q", verbs, taken)
	}
}
