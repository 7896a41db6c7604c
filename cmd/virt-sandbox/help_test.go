// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// --help fits a terminal, and has no value that is no choice.
func TestHelp(t *testing.T) {
	t.Setenv("LIBVIRT_DEFAULT_URI", "")
	command := root()
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"--help"})
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("a line of more than 80 columns: %s", line)
		}
	}
	usage, examples, options := strings.Index(out.String(), "\nUsage:"), strings.Index(out.String(), "\nExamples:"),
		strings.Index(out.String(), "\nWhat runs:")
	if usage < 0 || examples < usage || options < examples || strings.Contains(out.String(), "\nOptions:") {
		t.Errorf("usage, examples and groups of options are at %d, %d and %d", usage, examples, options)
	}
	for _, bad := range []string{"[=true", "true|false", "(default ", "(N)", "[flags]"} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("it has %q", bad)
		}
	}
}

func TestMistakes(t *testing.T) {
	for line, want := range map[string]string{
		"":             "there is no command to run; see virt-sandbox --help",
		"--mont a b":   "unknown option --mont; did you mean --mount?",
		"--frobnicate": "unknown option --frobnicate; see virt-sandbox --help",
		"-Q":           "unknown option -Q; see virt-sandbox --help",
	} {
		command := root()
		command.SetArgs(strings.Fields(line))
		if err := command.Execute(); err == nil || err.Error() != want {
			t.Errorf("%q: %v", line, err)
		}
	}
}
