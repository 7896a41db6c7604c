// SPDX-License-Identifier: Apache-2.0

// Package census runs daemons of the distribution in containers, as an administrator would who reads nothing: install
// the package, create, start. The table says what is expected of each. make census runs it, and on the native rig it is
// a short part.
package census

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/residue"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const program = "virt-sandbox-service"

var (
	only     = flag.String("only", "", "run the daemons of these packages, separated by commas")
	part     = flag.Bool("part", false, "run the daemons that are part of make test")
	packages = flag.Bool("packages", false, "print the packages of that part, and do nothing")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *packages {
		fmt.Println(strings.Join(packagesOf(inPart()), " "))
		return
	}
	rig.MustBeReady("census", program)
	if err := rig.Sweep(program, "t-"); err != nil {
		fmt.Fprintf(os.Stderr, "census: %v\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// Every daemon does what the table expects of it. Native has those that most use; make census has all.
func TestCensus(t *testing.T) {
	rig.On(t, rig.Native, rig.Census)
	all := os.Getenv(rig.Variable) == string(rig.Census)
	chosen := daemons()
	if *only != "" {
		chosen = slices.DeleteFunc(chosen, func(d daemon) bool {
			return !slices.Contains(strings.Split(*only, ","), d.name())
		})
	} else if !all || *part {
		chosen = inPart()
	}
	if !all {
		// These can be installed beside each other, which takes less time.
		if err := install(t, strings.Join(packagesOf(chosen), " ")); err != nil {
			t.Skip(err)
		}
	}
	var table strings.Builder
	for _, d := range chosen {
		name := d.name()
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			got, detail := examine(t, d, all)
			fmt.Fprintf(&table, "%-26s %-26s %-10s %5.1fs  %s\n", name, d.units, got, time.Since(begin).Seconds(), detail)
			if want := d.expected(); got != want {
				t.Errorf("%s: %s, want %s: %s", name, got, want, detail)
			}
		})
	}
	t.Logf("\n%s", table.String())
}

// inPart returns the daemons that are part of make test.
func inPart() []daemon {
	return slices.DeleteFunc(daemons(), func(d daemon) bool { return !d.short })
}

func packagesOf(chosen []daemon) (packages []string) {
	for _, d := range chosen {
		packages = append(packages, strings.Fields(d.packages)...)
	}
	return packages
}

func (d daemon) name() string { return strings.Fields(d.packages)[0] }

// What becomes of a daemon.
const (
	serves  = "serves"
	refused = "refused"
	failed  = "failed"
)

func (d daemon) expected() string {
	if d.refused != "" {
		return refused
	}
	return serves
}

// examine takes a daemon through its life, whole or in short, and says what became of it.
func examine(t *testing.T, d daemon, whole bool) (outcome, detail string) {
	if err := install(t, d.packages); err != nil {
		t.Skip(err)
	}
	if _, err := os.Lstat(d.file); d.file != "" && err != nil {
		t.Cleanup(func() { _ = os.Remove(d.file) })
		if err := os.WriteFile(d.file, []byte(d.text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if slices.ContainsFunc(d.options, func(o string) bool { return strings.Contains(o, "bridge="+bridge+",") }) {
		makeBridge(t)
	}
	before, err := residue.List()
	if err != nil {
		t.Fatal(err)
	}
	first, second := "t-"+d.name(), "t-2-"+d.name()
	detail = d.live(first, second, whole)
	for _, name := range []string{first, second} {
		_, _ = run(time.Minute, program, "stop", name)
		_, _ = run(time.Minute, program, "delete", name)
	}
	// Other runs on the machine come and go meanwhile.
	left := slices.DeleteFunc(residue.Differences(before), func(line string) bool {
		return !strings.Contains(line, first) && !strings.Contains(line, second)
	})
	if len(left) > 0 {
		return failed, strings.TrimPrefix(detail+"; it leaves "+strings.Join(left, ", "), "; ")
	}
	switch {
	case detail == "":
		return serves, ""
	case d.refused != "" && strings.Contains(detail, d.refused):
		return refused, detail
	}
	return failed, detail
}

// bridge is one for daemons that need an interface.
const bridge = "t-census"

func makeBridge(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("ip", "link", "add", bridge, "up", "type", "bridge").CombinedOutput(); err != nil {
		t.Fatalf("make a bridge: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", bridge).Run() })
}

// live runs a daemon in one container, and in a second one beside it that has content of its own. It returns what went
// wrong, "" for nothing.
func (d daemon) live(first, second string, whole bool) string {
	if problem := d.start(first); problem != "" {
		return problem
	}
	if whole {
		for _, verb := range []string{"stop", "start"} {
			if out, err := run(time.Minute, program, verb, first); err != nil {
				return verb + " again: " + lastLines(out)
			}
		}
		if problem := d.ask(first); problem != "" {
			return "after a restart: " + problem
		}
		bad, err := run(time.Minute, program, "execute", first, "--", "systemctl", "--failed", "--no-legend", "--plain")
		if err != nil || bad != "" {
			return "units that failed inside: " + lastLines(bad)
		}
	}
	if !whole {
		return ""
	}
	if _, err := run(time.Minute, program, "execute", first, "--", "touch", "/var/lib/of-the-first"); err != nil {
		return "nothing can be written below /var/lib"
	}
	if problem := d.start(second); problem != "" {
		return "a second one: " + problem
	}
	_, err := run(time.Minute, program, "execute", second, "--", "test", "!", "-e", "/var/lib/of-the-first")
	if err != nil {
		return "a second one has the content of the first"
	}
	return ""
}

func (d daemon) start(name string) string {
	args := append([]string{"create"}, d.options...)
	for unit := range strings.FieldsSeq(d.units) {
		args = append(args, "-u", unit)
	}
	if out, err := run(2*time.Minute, program, append(args, name)...); err != nil {
		return "create: " + lastLines(out)
	}
	if out, err := run(2*time.Minute, program, "start", name); err != nil {
		return "start: " + lastLines(out)
	}
	return d.ask(name)
}

// ask asks a daemon inside until it answers; some are told of as up before they listen.
func (d daemon) ask(name string) string {
	var out string
	for range 5 {
		var err error
		if out, err = run(30*time.Second, program, "execute", name, "--", "sh", "-c", d.probe); err == nil &&
			strings.Contains(out, d.answer) {
			return ""
		}
		time.Sleep(time.Second)
	}
	return fmt.Sprintf("it answers %q", lastLines(out))
}

// install installs what the machine lacks of packages, without starting anything, and has it removed after the test.
func install(t *testing.T, packages string) error {
	var missing []string
	for name := range strings.FieldsSeq(packages) {
		out, _ := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status}", name).Output()
		if string(out) != "installed" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	const policy = "/usr/sbin/policy-rc.d"
	if _, err := os.Stat(policy); err != nil {
		if err := os.WriteFile(policy, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(policy) })
	}
	arguments := append([]string{"install", "-y", "--no-install-recommends"}, missing...)
	// Who else installs something on the machine meanwhile keeps it.
	plan, err := apt(append([]string{"--simulate"}, arguments...))
	if err != nil {
		return fmt.Errorf("apt-get install %s: %w\n%s", missing, err, lastLines(plan))
	}
	if out, err := apt(arguments); err != nil {
		return fmt.Errorf("apt-get install %s: %w\n%s", missing, err, lastLines(out))
	}
	t.Cleanup(func() {
		added := newIn(plan)
		if out, err := apt(append([]string{"purge", "-y"}, added...)); err != nil {
			t.Errorf("apt-get purge %s: %v\n%s", added, err, lastLines(out))
		}
	})
	return nil
}

// newIn lists the packages that are not there yet of a simulated installation: "Inst NAME (…)", where the line of one
// that is there has its version in brackets before that.
func newIn(plan string) (added []string) {
	for line := range strings.Lines(plan) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "Inst" && !strings.HasPrefix(fields[2], "[") {
			added = append(added, fields[1])
		}
	}
	return added
}

// apt runs apt-get in the network of who called the rig: the rig's own leads nowhere.
func apt(args []string) (string, error) {
	command := []string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q",
		"-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=5"}
	if caller := os.Getenv("WITH_LIBVIRT_CALLER"); caller != "" {
		command = append([]string{"nsenter", "-t", caller, "-n"}, command...)
	}
	return run(10*time.Minute, command[0], append(command[1:], args...)...)
}

// run runs a command for a time at most and returns all that it prints.
func run(limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Stdout, command.Stderr = &out, &out
	command.WaitDelay = time.Second
	err := command.Run()
	return out.String(), err
}

// lastLines returns the end of an output on one line.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}
