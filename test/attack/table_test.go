// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bufio"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

var update = flag.Bool("update", false, "write the results of the last runs, and the table of docs/security.md, anew")

const (
	resultsFile = "testdata/results" // WALL ATTEMPT WORD, a line each
	ranFiles    = "../../bin/attack/*"
	page        = "../../docs/security.md"
	tableBegin  = "<!-- The table is written by: go test ./test/attack -run TestTable -update -->\n"
	tableEnd    = "<!-- The end of the table. -->\n"
)

// key is an attempt on a wall.
type key struct {
	wall wall
	name string
}

// readResults takes in the lines of a file that begin with a word, in place of earlier ones.
func readResults(results map[key]string, file, prefix string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line, found := strings.CutPrefix(lines.Text(), prefix)
		fields := strings.Fields(line)
		if found && len(fields) >= 3 {
			results[key{wall(fields[0]), fields[1]}] = strings.Join(fields[2:], " ")
		}
	}
	return lines.Err()
}

// The table says what the last campaign found for each attempt on each wall, and nothing else.
func TestTable(t *testing.T) {
	rig.On(t, rig.Native)
	results := make(map[key]string)
	if err := readResults(results, resultsFile, ""); err != nil && !*update {
		t.Fatal(err)
	}
	if *update {
		files, err := filepath.Glob(ranFiles)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if err := readResults(results, file, "attack: "); err != nil {
				t.Fatal(err)
			}
		}
		writeResults(t, results)
	}
	for k := range results {
		if !slices.ContainsFunc(attempts(), func(a attempt) bool { return a.name == k.name }) {
			t.Errorf("%s has a result of %s, which is no attempt", resultsFile, k.name)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableBegin)
	got, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", page)
	}
	want := table(results)
	switch {
	case got == want:
	case *update:
		if err := os.WriteFile(page, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the table of %s is not that of %s: go test ./test/attack -run TestTable -update", page, resultsFile)
	}
}

// writeResults keeps results of attempts that there are.
func writeResults(t *testing.T, results map[key]string) {
	t.Helper()
	var text strings.Builder
	for _, a := range attempts() {
		for _, w := range walls() {
			if word, found := results[key{w, a.name}]; found {
				fmt.Fprintf(&text, "%s %s %s\n", w, a.name, word)
			}
		}
	}
	clear(results)
	if err := os.WriteFile(resultsFile, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := readResults(results, resultsFile, ""); err != nil {
		t.Fatal(err)
	}
}

// table is the table in Markdown: a row for each attempt, and below it the reasons why some remain.
func table(results map[key]string) string {
	var text, reasons strings.Builder
	text.WriteString("\n| attempt | root inside tries to |")
	for _, w := range walls() {
		fmt.Fprintf(&text, " %s |", w)
	}
	text.WriteString("\n|" + strings.Repeat(" --- |", 2+len(walls())) + "\n")
	for _, a := range attempts() {
		fmt.Fprintf(&text, "| %s | %s |", a.name, a.tries)
		for _, w := range walls() {
			word, found := results[key{w, a.name}]
			switch {
			case !found && a.unwalled:
				word = "as plain"
			case !found:
				word = "not run"
			case word == "got":
				word = "**remains**"
			}
			fmt.Fprintf(&text, " %s |", word)
		}
		text.WriteString("\n")
		for reason, where := range remaining(a, results) {
			fmt.Fprintf(&reasons, "- %s (%s): %s.\n", a.name, where, reason)
		}
	}
	if reasons.Len() > 0 {
		text.WriteString("\nWhat remains, and why:\n\n" + reasons.String())
	}
	return text.String() + "\n"
}

// remaining lists, for each reason why an attempt has succeeded, the walls where it has.
func remaining(a attempt, results map[key]string) iter.Seq2[string, string] {
	return func(yield func(reason, where string) bool) {
		var order []string
		where := make(map[string][]string)
		for _, w := range walls() {
			if reason := a.remains[w]; reason != "" && results[key{w, a.name}] == "got" {
				if where[reason] == nil {
					order = append(order, reason)
				}
				where[reason] = append(where[reason], string(w))
			}
		}
		for _, reason := range order {
			if !yield(reason, strings.Join(where[reason], ", ")) {
				return
			}
		}
	}
}
