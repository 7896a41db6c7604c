// SPDX-License-Identifier: Apache-2.0

package scalar

import "testing"

// FuzzScalars: what is read as a time is written so that it is read as the same, and nothing is beyond its bounds.
func FuzzScalars(f *testing.F) {
	for _, text := range []string{"", "yes", "0", "1", "none", "0.5", "90s", "2026-01-31T12:00:00Z", "-1", "NaN"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, err := Time(text); err == nil {
			if again, err := Time(TimeText(at)); err != nil || !again.Equal(at) {
				t.Errorf("%q is %v, and then %v, %v", text, at, again, err)
			}
		}
		if n, err := CPUs(text); err == nil && !(n >= 0.01 && n <= 4096) {
			t.Errorf("%q is %v CPUs", text, n)
		}
		if n, err := PIDs(text); err == nil && n > maxPIDs {
			t.Errorf("%q is %v processes", text, n)
		}
		if n, err := Retries(text); err == nil && (n < 1 || n > 1000) {
			t.Errorf("%q is %v failures", text, n)
		}
		_, _ = Bool(text)
		_, _ = ID(text)
		_, _ = Duration(text)
	})
}
