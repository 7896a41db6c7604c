// SPDX-License-Identifier: Apache-2.0

package rpmdeps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The host of the measurements has 20 source packages of 100 packages each, as many as a large server.
const (
	largeSources  = 20
	largePackages = 100
	largePackage  = "source7-50"
	largeUnit     = "/usr/lib/systemd/system/source7-50.service"
)

// largeSpec makes packages of the names SOURCE-1, SOURCE-2 … with a unit, 4 configuration files and 15 others each.
func largeSpec(t testing.TB, source string) string {
	t.Helper()
	tree := t.TempDir()
	one := filepath.Join(tree, "one")
	writeFile(t, one, "one\n")
	// All files are hard links to one, as making 40,000 files takes long.
	link := func(format string, arguments ...any) {
		file := filepath.Join(tree, fmt.Sprintf(format, arguments...))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.Link(one, file)); err != nil {
			t.Fatal(err)
		}
	}
	var spec strings.Builder
	fmt.Fprintf(&spec, largeSpecHead, source, tree)
	for i := 1; i <= largePackages; i++ {
		name := fmt.Sprintf("%s-%d", source, i)
		fmt.Fprintf(&spec, largeSpecPackage, name)
		link("usr/lib/systemd/system/%s.service", name)
		for n := range 4 {
			link("etc/%s/%d.conf", name, n)
		}
		for n := range 15 {
			link("usr/share/%s/%s.%d", name, name, n)
		}
	}
	return spec.String()
}

const largeSpecHead = `
Name: %[1]s
Version: 1
Release: 1
Summary: %[1]s
License: none
BuildArch: noarch
AutoReqProv: no
%%description
%[1]s
%%install
cp -al %[2]s/etc %[2]s/usr %%{buildroot}
`

const largeSpecPackage = `
%%package -n %[1]s
Summary: %[1]s
AutoReqProv: no
%%description -n %[1]s
%[1]s
%%files -n %[1]s
%%config(noreplace) /etc/%[1]s/*.conf
/usr/lib/systemd/system/%[1]s.service
/usr/share/%[1]s
`

func largeDatabase(t testing.TB) string {
	t.Helper()
	var rpms []string
	for i := range largeSources {
		rpms = append(rpms, buildRPMs(t, largeSpec(t, fmt.Sprintf("source%d", i)))...)
	}
	dir := t.TempDir()
	install(t, dir, rpms...)
	return dir
}

// oursOwnerAndFiles is what the helper asks for one unit: who owns it, and which files the owner has.
func oursOwnerAndFiles(t testing.TB, dir string) {
	ctx := context.Background()
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	owners, err := db.Owners(ctx, largeUnit)
	if err != nil || !slices.Equal(owners[largeUnit], []string{largePackage}) {
		t.Fatalf("owners of %s: %v, %v", largeUnit, owners, err)
	}
	pkg, err := db.Package(ctx, owners[largeUnit][0])
	if err != nil || len(pkg.Files) != 21 {
		t.Fatalf("files of %s: %+v, %v", largePackage, pkg, err)
	}
}

// rpmOwnerAndFiles asks rpm the same.
func rpmOwnerAndFiles(t testing.TB, dir string) {
	owner, err := exec.Command("rpm", "--dbpath", dir, "-qf", "--qf", "%{NAME}", largeUnit).Output()
	if err != nil || string(owner) != largePackage {
		t.Fatalf("rpm's owner of %s: %s, %v", largeUnit, owner, err)
	}
	files, err := exec.Command("rpm", "--dbpath", dir, "-ql", "--dump", string(owner)).Output()
	if err != nil || strings.Count(string(files), "\n") != 21 {
		t.Fatalf("rpm's files of %s: %s, %v", largePackage, files, err)
	}
}

func BenchmarkOwnerAndFiles(b *testing.B) {
	dir := largeDatabase(b)
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			oursOwnerAndFiles(b, dir)
		}
	})
	b.Run("rpm", func(b *testing.B) {
		for b.Loop() {
			rpmOwnerAndFiles(b, dir)
		}
	})
}

// TestFasterThanRPM keeps the reason for not running rpm true: an answer takes a fifth of its time at most.
func TestFasterThanRPM(t *testing.T) {
	rig.On(t, rig.Bench)
	dir := largeDatabase(t)
	var ours, rpm []time.Duration
	for range 41 {
		ours = append(ours, timed(func() { oursOwnerAndFiles(t, dir) }))
		rpm = append(rpm, timed(func() { rpmOwnerAndFiles(t, dir) }))
	}
	a, b := median(ours), median(rpm)
	t.Logf("owner and files of one unit among %d packages: ours %v, rpm %v", largeSources*largePackages, a, b)
	if a*5 > b {
		t.Errorf("ours takes %v, more than a fifth of rpm's %v", a, b)
	}
}

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
