// SPDX-License-Identifier: Apache-2.0

// Command coverage says how many statements the unit tests of some rooms reach without root, and fails below a bound:
//
//	coverage -atleast PERCENT PACKAGE…
//
// Each package counts by its own tests alone. Where the command runs as root, the tests run as nobody.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// nobody is the user as whom root's tests run.
const nobody = 65534

func main() {
	bound := flag.Float64("atleast", 0, "percent of the statements of all packages that their tests must reach")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(flag.Args(), *bound); err != nil {
		fmt.Fprintf(os.Stderr, "coverage: %v\n", err)
		os.Exit(1)
	}
}

func measure(packages []string, bound float64) error {
	dir, err := os.MkdirTemp("", "coverage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			return err
		}
	}
	var all figures
	for _, name := range packages {
		f, err := measureOne(name, dir)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("%-32s %s\n", name, f)
		all.reached += f.reached
		all.statements += f.statements
	}
	fmt.Printf("%-32s %s\n", "all", all)
	if all.percent() < bound {
		return fmt.Errorf("%.1f %% is less than %v %%", all.percent(), bound)
	}
	return nil
}

// measureOne runs the tests of a package in its directory, as go test does, with dir for what they write.
func measureOne(name, dir string) (figures, error) {
	program, profile := filepath.Join(dir, "test"), filepath.Join(dir, "profile")
	build := exec.Command("go", "test", "-c", "-cover", "-o", program, "./"+name)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return figures{}, fmt.Errorf("go test -c: %w", err)
	}
	if _, err := os.Stat(program); err != nil {
		return figures{}, fmt.Errorf("no tests: %w", err)
	}
	defer os.Remove(program)
	run := exec.Command(program, "-test.short", "-test.coverprofile", profile)
	run.Dir, run.Env = name, append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	if os.Geteuid() == 0 {
		run.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if out, err := run.CombinedOutput(); err != nil {
		return figures{}, fmt.Errorf("%w\n%s", err, out)
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return figures{}, err
	}
	return parse(string(text))
}

// figures count statements.
type figures struct{ reached, statements int }

func (f figures) percent() float64 {
	if f.statements == 0 {
		return 0
	}
	return 100 * float64(f.reached) / float64(f.statements)
}

func (f figures) String() string {
	return fmt.Sprintf("%5.1f %%  %5d of %5d", f.percent(), f.reached, f.statements)
}

// parse counts the statements of a profile: a line that names the mode, then a line for each block, which ends in how
// many statements it has and how often it was reached.
func parse(profile string) (figures, error) {
	var f figures
	for i, line := range strings.Split(strings.TrimSpace(profile), "\n") {
		if i == 0 {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return f, fmt.Errorf("line %d of the profile: %q", i+1, line)
		}
		statements, err := strconv.Atoi(fields[1])
		if err != nil {
			return f, fmt.Errorf("line %d of the profile: %w", i+1, err)
		}
		f.statements += statements
		if fields[2] != "0" {
			f.reached += statements
		}
	}
	return f, nil
}
