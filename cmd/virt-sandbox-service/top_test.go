// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/helper"
)

// TestTop: the table has the part of a processor that was used between two looks, the most first, and what is not known
// is a dash.
func TestTop(t *testing.T) {
	of := func(name string, seconds float64) used {
		bytes := uint64(3 << 20)
		return used{name, helper.Consumption{CPU: &seconds, Memory: &bytes, Read: &bytes}}
	}
	var out strings.Builder
	before := []used{of("idle", 7), of("busy", 1)}
	if err := printTop(&out, before, []used{of("idle", 7), of("new", 1), of("busy", 2)}, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	want := `NAME  CPU    MEMORY  TASKS  READ  WRITTEN
busy  50.0%  3.0M    -      3.0M  -
idle  0.0%   3.0M    -      3.0M  -
new   -      3.0M    -      3.0M  -
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
