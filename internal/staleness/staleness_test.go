// SPDX-License-Identifier: Apache-2.0

package staleness

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Only what a process executes of the host's /usr, and is not there any more, makes it old.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	put := func(pid int, name, text string) {
		t.Helper()
		file := filepath.Join(dir, fmt.Sprint(pid), name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put(7, "comm", "apache\x1b[2J2\n")
	put(7, "cgroup", "0::/system.slice/apache2@web.service/virt-sandbox-web/system.slice/apache2.service\n")
	put(7, "maps", strings.Join([]string{
		"7eff-7f00 r-xp 00000000 00:05 9                          /var" + strings.Repeat("/long", 1<<15),
		"7f00-7f01 r--p 00000000 08:01 10                         /usr/lib/libssl.so.3 (deleted)",
		"7f01-7f02 r-xp 00001000 08:01 10                         /usr/lib/libssl.so.3 (deleted)",
		"7f02-7f03 r-xp 00001000 08:01 10                         /usr/lib/libssl.so.3 (deleted)",
		"7f03-7f04 r-xp 00000000 08:01 11                         /usr/lib/libc.so.6",
		"7f04-7f05 r--p 00000000 08:01 12                         /usr/lib/locale/locale-archive (deleted)",
		"7f05-7f06 rwxp 00000000 00:01 13                         /memfd:x (deleted)",
		"7f06-7f07 r-xp 00000000 00:05 14                         /var/tmp/own.so (deleted)",
		"7f07-7f08 r-xp 00000000 08:01 15                         /usr/../etc/x (deleted)",
		"7f08-7f09 rwxp 00000000 00:00 0                          [heap] (deleted)", "",
	}, "\n"))
	put(8, "maps", "7f01-7f02 r-xp 00001000 08:01 10                         /usr/lib/libssl.so.3\n")
	got, err := Proc(dir).Find(t.Context(), []int{9, 8, 7})
	want := []Process{{PID: 7, Name: "apache?[2J2", Unit: "apache2.service", Files: []string{"/usr/lib/libssl.so.3"},
		Packages: []string{}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// Units of the sandbox are enough where all that is old is theirs, and nothing but a start makes it new.
func TestUnits(t *testing.T) {
	own := []string{"a.service", "b.service"}
	of := func(units ...string) (list []Process) {
		for _, u := range units {
			list = append(list, Process{Unit: u})
		}
		return list
	}
	for name, c := range map[string]struct {
		report Report
		want   []string
	}{
		"nothing":      {Report{}, nil},
		"own":          {Report{Processes: of("b.service", "a.service", "b.service")}, []string{"b.service", "a.service"}},
		"others too":   {Report{Processes: of("a.service", "dbus.service")}, nil},
		"of no unit":   {Report{Processes: of("a.service", "")}, nil},
		"old /etc":     {Report{Processes: of("a.service"), EtcIsOld: true}, nil},
		"a new config": {Report{Processes: of("a.service"), Config: []string{"memory=1G"}}, nil},
	} {
		if got := c.report.Units(own); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What is old, and not in which process, is the reason.
func TestReason(t *testing.T) {
	of := func(pid int, unit string, files ...string) Process {
		return Process{PID: pid, Unit: unit, Files: files}
	}
	one := Report{Processes: []Process{of(1, "a.service", "/usr/x", "/usr/y")}}
	for name, c := range map[string]struct {
		other Report
		same  bool
	}{
		"other processes": {Report{Processes: []Process{
			of(3, "a.service", "/usr/y", "/usr/x"), of(2, "a.service", "/usr/x", "/usr/y"),
		}}, true},
		"while it is paused":   {Report{Processes: one.Processes, Halted: true}, true},
		"another unit":         {Report{Processes: []Process{of(1, "b.service", "/usr/x", "/usr/y")}}, false},
		"fewer files":          {Report{Processes: []Process{of(1, "a.service", "/usr/x")}}, false},
		"an old /etc":          {Report{Processes: one.Processes, EtcIsOld: true}, false},
		"a new line of config": {Report{Processes: one.Processes, Config: []string{"memory=1G"}}, false},
	} {
		if got := c.other.Reason() == one.Reason(); got != c.same || c.other.Reason() == "" {
			t.Errorf("%s: the same reason: %t", name, got)
		}
	}
	if reason := (&Report{Halted: true}).Reason(); reason != "" {
		t.Errorf("of nothing: %s", reason)
	}
}
