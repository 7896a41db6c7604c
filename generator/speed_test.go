// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Bounds of the time: for 1,000 configs a fifth of what podman's quadlet needs on a machine of two cores for as many
// .container files, for one what it needs. The floor is what a bare program needs for the same bytes. The bounds are
// for a machine on which that takes no longer than it took there; for a slower one they are wider by as much.
const (
	floorCPU1000 = 25 * time.Millisecond
	floorWall0   = 1600 * time.Microsecond

	maxWall1000 = 920 * time.Millisecond / 5
	maxCPU1000  = 370 * time.Millisecond / 5
	maxWall1    = 5 * time.Millisecond
	maxFloors   = 2
)

// TestSpeed measures the built program as systemd runs it, beside the floor, on a tmpfs as /run is one.
func TestSpeed(t *testing.T) {
	rig.On(t, rig.Bench)
	dir, err := os.MkdirTemp("/dev/shm", "generator")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, floor := dir+"/virt-sandbox-service-generator", dir+"/floor"
	shell(t, "touch "+dir+"/virt-sandbox-service-helper; export CGO_ENABLED=0; "+
		"go build -trimpath -ldflags '-s -w' -o "+program+" ../cmd/virt-sandbox-service-generator; go build -o "+floor+
		" ./testdata/floor")
	for name, n := range map[string]int{"0": 0, "1": 1, "1000": 1000, "dropins": 1000} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		manyConfigs(t, config.Store{Dir: filepath.Join(dir, name)}, n)
	}
	dropInsFor(t, dir+"/dropins")
	shell(t, "mkdir "+dir+"/units "+dir+"/floored")
	ours := func(configs string) times {
		command := exec.Command(program, dir+"/units", dir+"/units", dir+"/units")
		command.Env = append(os.Environ(), config.DirVariable+"="+dir+"/"+configs)
		return measure(t, command)
	}
	ours("1000")
	unit := dir + "/units/httpd@web0.service"
	for try := 1; ; try++ {
		var thousand, bare, one, none, bareNone, added, bareAdded []times
		for range 15 {
			thousand = append(thousand, ours("1000"))
			bare = append(bare, measure(t, exec.Command(floor, dir+"/1000", dir+"/floored", unit)))
			added = append(added, ours("dropins"))
			bareAdded = append(bareAdded, measure(t, exec.Command(floor, dir+"/dropins", dir+"/floored", unit)))
			one = append(one, ours("1"))
			none = append(none, ours("0"))
			bareNone = append(bareNone, measure(t, exec.Command(floor, dir+"/0", dir+"/floored", unit)))
		}
		a, b, c, d, e := median(thousand), median(bare), median(one), median(none), median(bareNone)
		ratio := float64(a.cpu) / float64(b.cpu)
		t.Logf("1,000 configs: %v wall, %v CPU; floor: %v wall, %v CPU (%.2f times); one: %v; none: %v, floor %v",
			a.wall, a.cpu, b.wall, b.cpu, ratio, c.wall, d.wall, e.wall)
		f, g := median(added), median(bareAdded)
		addedRatio := float64(f.cpu) / float64(g.cpu)
		t.Logf("with 3 drop-ins each: %v wall, %v CPU; floor: %v wall, %v CPU (%.2f times)", f.wall, f.cpu, g.wall, g.cpu,
			addedRatio)
		wall, cpu := slower(maxWall1000, b.cpu, floorCPU1000), slower(maxCPU1000, b.cpu, floorCPU1000)
		wall1 := slower(maxWall1, e.wall, floorWall0)
		if a.wall <= wall && a.cpu <= cpu && ratio <= maxFloors && c.wall <= wall1 && d.wall <= maxFloors*e.wall &&
			addedRatio <= maxFloors {
			return
		}
		// A machine that others share has bad moments.
		if try == 5 {
			t.Fatalf("bounds: %v wall, %v CPU, %v floors; one: %v", wall, cpu, maxFloors, wall1)
		}
	}
}

// slower widens a bound by how much longer a floor takes than it should.
func slower(bound, floor, should time.Duration) time.Duration {
	return max(bound, time.Duration(float64(bound)*float64(floor)/float64(should)))
}

func manyConfigs(t *testing.T, store config.Store, n int) {
	t.Helper()
	for i := range n {
		s := config.New("web" + strconv.Itoa(i))
		s.Units = []string{"httpd.service"}
		s.UUID, s.MachineID = "01234567-89ab-4def-8123-456789abcdef", "0123456789ab4def8123456789abcdef"
		s.Security.Level = "s0:c10,c20"
		for _, p := range []string{"/etc/httpd", "/etc/sysconfig/httpd", "/var/lib/httpd", "/var/www", "/var/cache/httpd"} {
			s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "package:httpd"})
		}
		if err := os.WriteFile(store.Path(s.Name), []byte(s.Text()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// dropInsFor gives each config in a directory three drop-ins of its own.
func dropInsFor(t *testing.T, dir string) {
	t.Helper()
	configs, err := filepath.Glob(dir + "/*" + config.Suffix)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range configs {
		if err := os.Mkdir(file+".d", 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"10-limits.conf": "# of the site\n[limits]\nmemory=1G\npids=500\n",
			"50-mounts.conf": "[mounts]\nhost-show=/data=/srv/%n\n",
			"override.conf":  "[limits]\nmemory=2G\n[service]\nNice=5\n",
		} {
			if err := os.WriteFile(filepath.Join(file+".d", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

type times struct{ wall, cpu time.Duration }

func measure(t *testing.T, command *exec.Cmd) times {
	t.Helper()
	begun := time.Now()
	out, err := command.CombinedOutput()
	wall := time.Since(begun)
	if err != nil || len(out) > 0 {
		t.Fatalf("%v: %v\n%s", command.Args, err, out)
	}
	return times{wall, command.ProcessState.UserTime() + command.ProcessState.SystemTime()}
}

func median(all []times) times {
	at := func(of func(times) time.Duration) time.Duration {
		var list []time.Duration
		for _, t := range all {
			list = append(list, of(t))
		}
		slices.Sort(list)
		return list[len(list)/2].Round(100 * time.Microsecond)
	}
	return times{at(func(t times) time.Duration { return t.wall }), at(func(t times) time.Duration { return t.cpu })}
}
