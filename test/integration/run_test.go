// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/residue"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const (
	program    = "virt-sandbox-service"
	configDir  = "/etc/libvirt-sandbox/services"
	stateDir   = "/var/lib/virt-sandbox"
	contentDir = "/var/lib/libvirt/filesystems"
	imageDir   = "/var/lib/libvirt/images"
)

// outcome is what a finished command leaves.
type outcome struct {
	stdout, stderr string
	status         int
}

// run runs the service tool.
func run(t *testing.T, args ...string) outcome {
	t.Helper()
	return runCommand(t, exec.Command(program, args...))
}

func runCommand(t *testing.T, command *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", command.Args, err)
	}
	return outcome{stdout.String(), stderr.String(), command.ProcessState.ExitCode()}
}

// must runs the service tool and ends the test unless it succeeds.
func must(t *testing.T, args ...string) string {
	t.Helper()
	o := run(t, args...)
	if o.status != 0 {
		t.Fatalf("%s %s: exit status %d\n%s%s", program, strings.Join(args, " "), o.status, o.stdout, o.stderr)
	}
	return o.stdout
}

// inside runs a shell command in a container and returns what it prints.
func inside(t *testing.T, name, script string) string {
	t.Helper()
	return must(t, "execute", name, "--", "sh", "-c", script)
}

// create makes a sandbox that the test's end removes.
func create(t *testing.T, name string, args ...string) {
	t.Helper()
	t.Cleanup(func() { remove(t, name) })
	must(t, append([]string{"create"}, append(args, name)...)...)
}

// described returns what a config asks for, and what was found or allocated beside it.
func described(t *testing.T, name string) string {
	t.Helper()
	return shell(t, "cat "+configDir+"/"+name+".sandbox && if test -e "+stateDir+"/"+name+"/state; then cat "+stateDir+"/"+
		name+"/state; fi")
}

// remove brings a sandbox to its end from whatever state it is in.
func remove(t *testing.T, name string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(configDir, name+".sandbox")); err == nil {
		must(t, "stop", name)
	}
	if o := run(t, "delete", name); o.status != 0 && !strings.Contains(o.stderr, "no such sandbox") {
		t.Errorf("delete %s: %s", name, o.stderr)
	}
}

// wait repeats a question until the answer is yes.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := 20 * time.Second
	if here := rig.Place(os.Getenv(rig.Variable)); here == rig.VM || here == rig.AppArmor {
		limit = 3 * time.Minute // its processor is emulated
	}
	for deadline := time.Now().Add(limit); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// snapshot lists all that a container can leave on a host.
func snapshot(t *testing.T) []string {
	t.Helper()
	var list []string
	for range 20 {
		now, err := residue.List()
		if err != nil {
			t.Fatal(err)
		}
		// What an earlier test told to end may take a moment for it.
		settled := slices.Equal(now, list) || !slices.ContainsFunc(now,
			func(line string) bool { return strings.HasPrefix(line, "process ") })
		if list = now; settled {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return list
}

func processes() []string { return residue.Processes() }

// sameAs fails the test when the host is not as it was.
func sameAs(t *testing.T, before []string, after string) {
	t.Helper()
	if differences := residue.Differences(before); len(differences) > 0 {
		t.Errorf("%s:\n%s", after, strings.Join(differences, "\n"))
	}
}
