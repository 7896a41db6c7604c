// SPDX-License-Identifier: Apache-2.0

package editing

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
)

var errBad = errors.New("bad text")

// TestRun: a person writes one text after another until one is taken or they give up.
func TestRun(t *testing.T) {
	for _, test := range []struct {
		name    string
		texts   []string // what the person writes, each after the other; "" has the editor fail
		again   int      // how often the person tries again
		want    string   // the text that was taken
		kept    string   // the text that stays in a file; "" for none
		refused bool
	}{
		{"good at once", []string{"good"}, 0, "good", "", false},
		{"good at last", []string{"bad", "bad", "good"}, 2, "good", "", false},
		{"given up", []string{"bad", "bad too"}, 1, "", "bad too", true},
		{"given up, unchanged", []string{"bad", "old"}, 1, "", "", true},
		{"no editor", []string{""}, 0, "", "", true},
		{"no editor at last", []string{"bad", ""}, 1, "", "bad", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			texts, again, taken := test.texts, test.again, ""
			err := Session{
				Name: "web", Text: "old",
				Edit: func(file string) error {
					text := texts[0]
					texts = texts[1:]
					if filepath.Base(file) != "web.sandbox" {
						t.Errorf("the file is %s", file)
					}
					if text == "" {
						return errBad
					}
					return os.WriteFile(file, []byte(text), 0o600)
				},
				Take: func(file string) error {
					text, err := os.ReadFile(file)
					if err != nil || string(text) != "good" {
						return errors.Join(errBad, err)
					}
					taken = string(text)
					return nil
				},
				Again: func(err error) bool {
					if !errors.Is(err, errBad) {
						t.Errorf("asked about %v", err)
					}
					again--
					return again >= 0
				},
			}.Run()
			if (err != nil) != test.refused || taken != test.want {
				t.Fatalf("taken is %q, %v", taken, err)
			}
			var failure *Error
			if kept := errors.As(err, &failure); kept != (test.kept != "") {
				t.Fatalf("a text is kept: %t", kept)
			}
			entries, readErr := os.ReadDir(temporary)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if test.kept == "" {
				if len(entries) != 0 {
					t.Errorf("left behind: %v", entries)
				}
				return
			}
			if text, err := os.ReadFile(failure.File); string(text) != test.kept || err != nil {
				t.Errorf("kept is %q, %v", text, err)
			}
			if !errors.Is(err, errBad) || !strings.Contains(err.Error(), "your text is in "+failure.File) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// TestCheckIdentity: what says which sandbox it is stays, but may be set where it was not.
func TestCheckIdentity(t *testing.T) {
	was := config.Sandbox{Name: "web", UUID: "u", MachineID: "m", State: config.StateDeleting}
	for _, test := range []struct {
		name   string
		was    config.Sandbox
		change func(*config.Sandbox)
		want   string
	}{
		{"nothing", was, func(*config.Sandbox) {}, ""},
		{"another key", was, func(s *config.Sandbox) { s.Autostart = true }, ""},
		{"name", was, func(s *config.Sandbox) { s.Name = "db" }, `name= cannot be changed, from "web" to "db"`},
		{"uuid", was, func(s *config.Sandbox) { s.UUID = "" }, `uuid= cannot be changed, from "u" to ""`},
		{"machine-id", was, func(s *config.Sandbox) { s.MachineID = "n" },
			`machine-id= cannot be changed, from "m" to "n"`},
		{"state ended", was, func(s *config.Sandbox) { s.State = "" }, `state= cannot be changed`},
		{
			"state set", config.Sandbox{}, func(s *config.Sandbox) { s.State = config.StateDeleting },
			`state= cannot be changed`,
		},
		{"uuid set", config.Sandbox{}, func(s *config.Sandbox) { s.UUID = "u" }, ""},
	} {
		edited := test.was
		test.change(&edited)
		err := CheckIdentity(&edited, &test.was)
		if (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
