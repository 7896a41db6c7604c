// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// sizes are how many containers are driven at once, and how often, for a median.
func sizes() map[int]int {
	return map[int]int{1: 5, 10: 3, *count: 1}
}

// figures are the median costs by verb, contender and size.
type figures map[string]map[int][]cost

func (f figures) add(what string, size int, c cost) {
	if f[what] == nil {
		f[what] = make(map[int][]cost)
	}
	f[what][size] = append(f[what][size], c)
}

func (f figures) median(what string, size int, of func(cost) time.Duration) time.Duration {
	var list []time.Duration
	for _, c := range f[what][size] {
		list = append(list, of(c))
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func wall(c cost) time.Duration { return c.wall }

// The figures of this project beside those of libvirt alone and of systemd-nspawn, and its goals. It measures; what it
// makes sure of is that each container came up and went away.
func TestFigures(t *testing.T) {
	rig.On(t, rig.Bench)
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		t.Skip("on a host with systemd the CPU time of units is counted elsewhere")
	}
	clean(t)
	allowInotify(t)
	m := newMeter(t)
	list := names("sc-", *count)
	t.Cleanup(func() { remove(t, list) })
	f := figures{}
	o := ours{m}
	creation(t, f, o, list)
	disk := blocks(t, list)
	writePages(t, list)

	b := bare{m, t.TempDir()}
	n := &nspawn{meter: m, dir: t.TempDir()}
	memory := make(map[string]map[string]int64)
	idleCPU := make(map[string]float64)
	for _, c := range []contender{o, b, n} {
		for _, size := range slices.Sorted(maps.Keys(sizes())) {
			for range sizes()[size] {
				some := list[:size]
				before := journals()
				f.add("start "+c.title(), size, m.measure(func() { c.start(t, some) }))
				if t.Failed() {
					c.stop(t, some)
					return
				}
				if now := journals(); now != before+size {
					t.Errorf("%s: %d journals run, and ran %d before %d containers", c.title(), now, before, size)
				}
				if size == *count {
					checkServed(t, c, some)
					memory[c.title()] = pss(c.processes(some))
					// What the others take is only for comparison.
					quietTime := *idle
					if c != contender(o) {
						quietTime /= 3
					}
					quiet := m.measure(func() { time.Sleep(quietTime) })
					idleCPU[c.title()] = quiet.cpu().Seconds() / quiet.wall.Seconds()
					if c == contender(o) {
						f.add("needs-restart", size, m.measure(func() { o.verb(t, "needs-restart", "--all") }))
						b.prepare(t, list)
						n.prepare(t, b, list)
					}
				}
				f.add("stop "+c.title(), size, m.measure(func() { c.stop(t, some) }))
			}
		}
		if c == contender(b) {
			// Of the groups that the first program makes, libvirt removes a part.
			o.stop(t, list)
		}
	}
	f.print(disk, memory, idleCPU)
}

// checkServed has every container serve its own page.
func checkServed(t *testing.T, c contender, names []string) {
	t.Helper()
	if _, other := c.(*nspawn); other {
		processes := processesOf("/sc-nspawn/", names)
		for _, name := range names {
			if text, err := get(processes[name][0]); err != nil || text != page(name) {
				t.Errorf("%s: %s answers %q (%v)", c.title(), name, text, err)
			}
		}
		return
	}
	checkPages(t, names)
}

// creation measures create and delete beside cp -a and rm of the same files, and leaves all containers made. All are
// made before the first is deleted: ext4 passes over the inodes of files that were deleted in the last minutes, one by
// one, and after a thousand deletions whoever makes files next, cp too, takes several times the CPU time.
func creation(t *testing.T, f figures, o ours, list []string) {
	t.Helper()
	copies := t.TempDir()
	parallel := fmt.Sprintf("--jobs=%d", *jobs)
	var made [][]string
	t.Cleanup(func() { remove(t, slices.Concat(made...)) })
	for _, size := range slices.Sorted(maps.Keys(sizes())) {
		// Whoever is the first to fill memory pays for it, and one round would say who that was.
		for round := range max(sizes()[size], 3) {
			some := names(fmt.Sprintf("sc-%d-%d-", size, round), size)
			made = append(made, some)
			f.add("create", size, o.meter.measure(func() {
				o.verb(t, append([]string{"create", "-C", "-u", unit, parallel}, some...)...)
			}))
			copying := "printf '%s\\n' " + strings.Join(some, " ") + " | xargs -P " + strconv.Itoa(*jobs) + " -I {} cp -a " +
				contentDir + "/{} " + copies + "/{}"
			f.add("cp -a", size, o.meter.measure(func() { run(t, within(o.meter.started, "sh", "-c", copying)...) }))
		}
	}
	for _, some := range made {
		removing := "cd " + copies + " && rm -r " + strings.Join(some, " ")
		f.add("rm -r", len(some), o.meter.measure(func() { run(t, within(o.meter.started, "sh", "-c", removing)...) }))
		f.add("delete", len(some), o.meter.measure(func() {
			o.verb(t, append([]string{"delete", parallel}, some...)...)
		}))
	}
	o.verb(t, append([]string{"create", "-C", "-u", unit}, list...)...)
}

// blocks is what the content of a container takes on disk.
func blocks(t *testing.T, names []string) int64 {
	t.Helper()
	total := int64(0)
	for _, name := range names {
		kib, err := strconv.ParseInt(strings.Fields(run(t, "du", "-sk", filepath.Join(contentDir, name)))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		total += kib * 1024
	}
	return total / int64(len(names))
}

// printShares tells whose the CPU time of the starts and stops of n is. Of systemd-nspawn, what runs inside counts as
// started.
func (f figures) printShares(n int) {
	for _, what := range slices.Sorted(maps.Keys(f)) {
		if !strings.HasPrefix(what, "start ") && !strings.HasPrefix(what, "stop ") {
			continue
		}
		share := func(of func(cost) time.Duration) float64 { return f.median(what, n, of).Seconds() }
		fmt.Printf("CPU time of %s of %d: programs started %.2f s and the kernel for them %.2f s, libvirtd %.2f s, "+
			"containers %.2f s\n", what, n,
			share(func(c cost) time.Duration { return c.own }), share(func(c cost) time.Duration { return c.started - c.own }),
			share(func(c cost) time.Duration { return c.libvirt }), share(func(c cost) time.Duration { return c.containers }))
	}
}

func (f figures) print(disk int64, memory map[string]map[string]int64, idleCPU map[string]float64) {
	list := slices.Sorted(maps.Keys(sizes()))
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "seconds, wall / CPU\t")
	for _, size := range list {
		fmt.Fprintf(w, "%d\t", size)
	}
	fmt.Fprintln(w)
	for _, what := range slices.Sorted(maps.Keys(f)) {
		fmt.Fprintf(w, "%s\t", what)
		for _, size := range list {
			fmt.Fprintf(w, "%.2f / %.2f\t", f.median(what, size, wall).Seconds(), f.median(what, size, cost.cpu).Seconds())
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	n := *count
	f.printShares(n)
	const ourTitle, bareTitle = "virt-sandbox", "bare libvirt"
	each := func(bytes int64) float64 { return float64(bytes) / 1e6 / float64(n) }
	for _, c := range []string{ourTitle, bareTitle, "systemd-nspawn"} {
		fmt.Printf("%s: %.1f MB (PSS) each, %d idle take %.4f of a CPU:", c, each(sum(memory[c])), n, idleCPU[c])
		for _, name := range slices.Sorted(maps.Keys(memory[c])) {
			fmt.Printf(" %s %.1f", name, each(memory[c][name]))
		}
		fmt.Println()
	}
	fmt.Printf("disk: %.2f MB each\n", float64(disk)/1e6)

	goal := func(what string, value, limit float64) {
		verdict := "met"
		if value > limit {
			verdict = "MISSED"
		}
		fmt.Printf("goal: %-60s %8.3f of %8.3f  %s\n", what, value, limit, verdict)
	}
	ratio := func(a, b string, of func(cost) time.Duration) float64 {
		return f.median(a, n, of).Seconds() / f.median(b, n, of).Seconds()
	}
	goal(fmt.Sprintf("start of %d to ready, wall time of bare libvirt's", n),
		ratio("start "+ourTitle, "start "+bareTitle, wall), 1.2)
	goal(fmt.Sprintf("start of %d to ready, CPU time of bare libvirt's", n),
		ratio("start "+ourTitle, "start "+bareTitle, cost.cpu), 1.2)
	own := func(of string) float64 {
		return f.median("start "+of, n, func(c cost) time.Duration { return c.own }).Seconds()
	}
	// Most of what virsh takes is the loading of libvirt's library, which our helper loads too.
	goal("our programs' share of the CPU time of a start, less virsh's",
		(own(ourTitle)-own(bareTitle))/f.median("start "+ourTitle, n, cost.cpu).Seconds(), 0.05)
	goal("memory beside bare libvirt's, MB each", each(sum(memory[ourTitle])-sum(memory[bareTitle])), 3)
	goal(fmt.Sprintf("CPUs that %d idle take", n), idleCPU[ourTitle], 0.02*float64(n)/100)
	goal(fmt.Sprintf("seconds that needs-restart of %d takes", n), f.median("needs-restart", n, wall).Seconds(),
		2*float64(n)/100)
	goal(fmt.Sprintf("create of %d, wall time of cp -a", n), ratio("create", "cp -a", wall), 1.5)
	goal(fmt.Sprintf("create of %d, CPU time of cp -a", n), ratio("create", "cp -a", cost.cpu), 1.5)
	for _, what := range []string{"create", "start " + ourTitle, "start " + bareTitle, "stop " + ourTitle,
		"stop " + bareTitle, "delete"} {
		growth := f.median(what, n, cost.cpu).Seconds() / f.median(what, 10, cost.cpu).Seconds()
		goal(fmt.Sprintf("%s: CPU time of %d against 10", what, n), growth, 1.1*float64(n)/10)
	}
}
