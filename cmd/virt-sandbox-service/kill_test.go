// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

// TestCheckSignal: signals have names, with and without SIG, and numbers.
func TestCheckSignal(t *testing.T) {
	for text, want := range map[string]bool{
		"TERM": true, "SIGTERM": true, "hup": true, "9": true, "64": true, "0": false, "65": false, "": false, "SIG": false,
		"NO": false, "-9": false, "TERM=x": false,
	} {
		if err := checkSignal(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
