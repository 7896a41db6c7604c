// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

// rows are sandboxes in three states.
func rows(now time.Time) []helper.Row {
	since, memory, yes, no := now.Add(-26*time.Hour), uint64(45<<20), true, false
	return []helper.Row{
		{
			Status: helper.Status{Name: "db1", State: "running", Level: "s0:c1,c2", Unit: "mariadb_db1.service",
				Units: []string{"mariadb.service"}},
			Enabled: &yes, Since: &since, Consumption: helper.Consumption{Memory: &memory},
			Addresses: []netip.Prefix{netip.MustParsePrefix("192.168.122.5/24"), netip.MustParsePrefix("fd00::5/64")},
		},
		{
			Status: helper.Status{Name: "job1", State: "stopped", Level: "s0:c3,c4", Unit: "virt-sandbox@job1.service",
				Command: []string{"/bin/echo", "a\x1b[2J\tb"}},
			Enabled: &no,
		},
		{Status: helper.Status{Name: "web1", State: "unusable", Error: "web1.sandbox:3: wrong"}},
	}
}

func TestTable(t *testing.T) {
	now := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	var out strings.Builder
	if err := printTable(&out, rows(now), now); err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"NAME", "STATE", "LEVEL", "ENABLED", "UP", "MEMORY", "ADDRESS", "UNIT", "RUNS"},
		{"db1", "running", "s0:c1,c2", "yes", "1d2h", "45.0M", "192.168.122.5+1", "mariadb_db1.service", "mariadb.service"},
		{"job1", "stopped", "s0:c3,c4", "no", "-", "-", "-", "virt-sandbox@job1.service", "/bin/echo", "a?[2J?b"},
		{"web1", "unusable", "-", "-", "-", "-", "-", "-", "web1.sandbox:3:", "wrong"},
	}
	for i, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if i >= len(want) || !slices.Equal(strings.Fields(line), want[i]) {
			t.Errorf("line %d: %q", i, line)
		}
	}
}

func TestFilter(t *testing.T) {
	for _, test := range []struct {
		filter filter
		want   string
		absent bool
	}{
		{filter{}, "db1 job1 web1", false},
		{filter{running: true}, "db1", false},
		{filter{states: []string{"stopped", "unusable"}}, "job1 web1", false},
		{filter{names: []string{"*b1"}}, "db1 job1 web1", false},
		{filter{names: []string{"d*", "web1"}}, "db1 web1", false},
		{filter{names: []string{"web1"}, running: true}, "", false},
		{filter{names: []string{"web2", "db1"}}, "db1", true},
		{filter{names: []string{"x*"}}, "", false},
	} {
		var names []string
		list := rows(time.Now())
		for _, row := range test.filter.of(list) {
			names = append(names, row.Name)
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%+v: %s", test.filter, got)
		}
		if err := test.filter.unmatched(list); errors.Is(err, config.ErrNotFound) != test.absent {
			t.Errorf("%+v: %v", test.filter, err)
		}
	}
}

func TestAge(t *testing.T) {
	now := time.Now()
	for seconds, want := range map[int]string{
		-5: "0s", 0: "0s", 59: "59s", 60: "1m0s", 3599: "59m59s", 3600: "1h0m", 86399: "23h59m", 86400: "1d0h",
		900000: "10d10h",
	} {
		since := now.Add(-time.Duration(seconds) * time.Second)
		if got := age(&since, now); got != want {
			t.Errorf("%d: %s, want %s", seconds, got, want)
		}
	}
}

// A directory of configs that is named and not there does not look like no sandboxes.
func TestConfigDirIsThere(t *testing.T) {
	dir := t.TempDir()
	if err := checkConfigDir(config.Store{Dir: dir}); err != nil {
		t.Error(err)
	}
	err := checkConfigDir(config.Store{Dir: dir + "/none"})
	if err == nil || err.Error() != "VIRT_SANDBOX_CONFIG_DIR="+dir+"/none is not a directory" {
		t.Error(err)
	}
	if err := checkConfigDir(config.Store{Dir: config.DefaultDir}); err != nil {
		t.Error(err)
	}
}
