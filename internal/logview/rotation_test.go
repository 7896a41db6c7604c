// SPDX-License-Identifier: Apache-2.0

package logview

import (
	"strings"
	"testing"
)

// TestRotation: complaints about logs that only the host has are not passed on, and fail nothing.
func TestRotation(t *testing.T) {
	const absent = "error: stat of /var/log/clamav failed: No such file or directory\n"
	for _, c := range []struct {
		name, says, passed string
		want               bool
	}{
		{"nothing", "", "", false},
		{"a log of the host", absent, "", true},
		{"a directory for old logs", "error: t:4 error verifying olddir path /var/x: No such file or directory\n", "", true},
		{"logs and such a directory",
			"error: t:4 error verifying log file path /var/log/x: No such file or directory\n", "", true},
		{"a user", "error: t:3 unknown user 'x'\n", "error: t:3 unknown user 'x'\n", false},
		{"two, and a warning", absent + "warning: x\n" + absent, "warning: x\n", true},
		{"another error too", absent + "error: skipping \"/var/log/x\"\n", "error: skipping \"/var/log/x\"\n", false},
		{"another reason", "error: stat of /var/log/x failed: Permission denied\n",
			"error: stat of /var/log/x failed: Permission denied\n", false},
		{"no end of the line", strings.TrimSuffix(absent, "\n"), "", true},
		{"a line without end", strings.Repeat("x", 10000), strings.Repeat("x", 10000), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, step := range []int{1, 7, 100000} {
				var out strings.Builder
				r := Rotation{Out: &out}
				for rest := c.says; rest != ""; rest = rest[min(step, len(rest)):] {
					if _, err := r.Write([]byte(rest[:min(step, len(rest))])); err != nil {
						t.Fatal(err)
					}
				}
				if err := r.Flush(); err != nil || out.String() != c.passed || r.OnlyAbsent() != c.want {
					t.Errorf("%d at a time: passed %q, %v; only absent: %t", step, out.String(), err, r.OnlyAbsent())
				}
			}
		})
	}
}
