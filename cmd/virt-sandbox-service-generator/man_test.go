package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestManual compares the page of the program with what it says itself, and both with what it takes.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../man/virt-sandbox-service-generator.8")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), `\-`, "-")
	flags, _ := options()
	want := []string{"help"}
	flags.VisitAll(func(f *pflag.Flag) { want = append(want, f.Name) })
	slices.Sort(want)
	if got := names(`(?m)^  (?:-.,|   ) --([a-z-]+)`, usage); !slices.Equal(got, want) {
		t.Errorf("--help tells of %q, and the options are %q", got, want)
	}
	if got := names(`(?m)^\.BR? .*--([a-z-]+)(?: .*)?$`, section(page, "OPTIONS")); !slices.Equal(got, want) {
		t.Errorf("the page tells of %q, and the options are %q", got, want)
	}
}

// names gives what an expression finds, sorted.
func names(expression, text string) []string {
	var list []string
	for _, match := range regexp.MustCompile(expression).FindAllStringSubmatch(text, -1) {
		list = append(list, match[1])
	}
	slices.Sort(list)
	return list
}

func section(page, name string) string {
	_, rest, _ := strings.Cut(page, ".SH "+name+"\n")
	text, _, _ := strings.Cut(rest, ".SH ")
	return text
}
