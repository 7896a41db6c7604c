// SPDX-License-Identifier: Apache-2.0

// Command ran fails when a test ran on none of the rigs of a run: when it was skipped wherever it could have run, or
// was not even there. It reads what record kept:
//
//	ran [-elsewhere PLACE,…] DIR
//
// DIR holds the outputs. A test may be missing from all of them that says it runs only on places of other targets
// (rig.On).
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	elsewhere := flag.String("elsewhere", "", "places that belong to other targets, with commas between them")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := check(flag.Arg(0), strings.Split(*elsewhere, ",")); err != nil {
		fmt.Fprintf(os.Stderr, "ran: %v\n", err)
		os.Exit(1)
	}
}

// check reads the outputs in a directory, and names the tests that ran nowhere.
func check(dir string, elsewhere []string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s has no outputs of tests", dir)
	}
	all := make(tests)
	for _, file := range files {
		if err := all.read(file); err != nil {
			return err
		}
	}
	var problems []error
	ran := 0
	for _, name := range all.names() {
		t := all[name]
		if t.ran {
			ran++
			continue
		}
		if t.runsOnlyOn(elsewhere) {
			continue
		}
		problems = append(problems, fmt.Errorf("%s ran nowhere: %s", name, strings.Join(t.reasons, "; ")))
	}
	fmt.Printf("%d tests ran on at least one rig\n", ran)
	return errors.Join(problems...)
}

// test is what the outputs say of a test or a part of one.
type test struct {
	ran     bool
	places  [][]string // of each skip by rig.On
	reasons []string   // of all skips
}

// runsOnlyOn reports whether a test that ran nowhere is none of this run's: each skip said places, and all of those of
// one are elsewhere.
func (t *test) runsOnlyOn(elsewhere []string) bool {
	if len(t.places) < len(t.reasons) {
		return false
	}
	return slices.ContainsFunc(t.places, func(places []string) bool {
		return !slices.ContainsFunc(places, func(p string) bool { return !slices.Contains(elsewhere, p) })
	})
}

// tests are those of all outputs, by name; a part of one has a slash in it.
type tests map[string]*test

func (all tests) names() []string {
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read takes in one output of go test -v: the lines that begin a test, say why it is skipped, and end it.
func (all tests) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	reason := make(map[string]string)
	running := ""
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 3 && fields[0] == "===":
			running = fields[2]
		case len(fields) >= 3 && fields[0] == "---":
			all.end(fields[2], strings.TrimSuffix(fields[1], ":"), reason[fields[2]])
		case running != "" && strings.Contains(line, "_test.go:"):
			_, reason[running], _ = strings.Cut(line, ": ")
		}
	}
	return lines.Err()
}

// end notes how a test ended in one output: PASS, FAIL or SKIP, and with what last words.
func (all tests) end(name, how, words string) {
	t := all[name]
	if t == nil {
		t = &test{}
		all[name] = t
	}
	if how != "SKIP" {
		t.ran = true
		return
	}
	if !slices.Contains(t.reasons, words) {
		t.reasons = append(t.reasons, words)
	}
	if places, found := strings.CutPrefix(words, "it runs on: "); found {
		t.places = append(t.places, strings.Split(places, ", "))
	}
}
