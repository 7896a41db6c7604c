// SPDX-License-Identifier: Apache-2.0

// Package scale drives many containers at once, checks that each is what it should be, and measures them beside what
// people use instead. It needs root and an lxc:/// that answers: make bench-scale and make test provide both.
package scale

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/residue"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const (
	program    = "virt-sandbox-service"
	unit       = "apache2"
	contentDir = "/var/lib/libvirt/filesystems"
)

var (
	count  = flag.Int("n", 20, "how many containers")
	jobs   = flag.Int("jobs", 2*runtime.NumCPU(), "how many at a time")
	idle   = flag.Duration("idle", 10*time.Second, "how long idle containers are watched")
	stress = flag.Duration("stress", time.Minute, "how long containers are started and stopped at random")
)

func TestMain(m *testing.M) {
	flag.Parse()
	rig.MustBeReady("scale", program)
	os.Exit(m.Run())
}

// clean fails the test at its end when something is left on the host.
func clean(t *testing.T) {
	t.Helper()
	before, err := residue.List()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if differences := residue.Differences(before); len(differences) > 0 {
			t.Errorf("the host is not as it was:\n%s", strings.Join(differences, "\n"))
		}
	})
}

// names returns as many names of sandboxes.
func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s%d", prefix, i+1)
	}
	return list
}

// run runs a command and ends the test unless it succeeds.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// remove brings sandboxes to their end, from whatever state they are in.
func remove(t *testing.T, names []string) {
	var made []string
	for _, name := range names {
		if _, err := os.Stat("/etc/libvirt-sandbox/services/" + name + ".sandbox"); err == nil {
			made = append(made, name)
		}
	}
	if len(made) == 0 {
		return
	}
	if out, err := exec.Command(program, append([]string{"stop"}, made...)...).CombinedOutput(); err != nil {
		t.Errorf("stop: %v\n%s", err, out)
	}
	if out, err := exec.Command(program, append([]string{"delete"}, made...)...).CombinedOutput(); err != nil {
		t.Errorf("delete: %v\n%s", err, out)
	}
}

func countText() string { return strconv.Itoa(*count) }
