// SPDX-License-Identifier: Apache-2.0

package version

import "testing"

func TestStamped(t *testing.T) {
	t.Cleanup(func() { stamped = "" })
	stamped = "1.2.3"
	if got := Line("virt-sandbox"); got != "virt-sandbox version 1.2.3\n" {
		t.Errorf("%q", got)
	}
}

func TestUnstamped(t *testing.T) {
	if got := String(); got == "" {
		t.Error("no version at all")
	}
}

func TestIsAsked(t *testing.T) {
	for _, test := range []struct {
		args []string
		want bool
	}{
		{[]string{"init", "--version"}, true},
		{[]string{"init"}, false},
		{[]string{"init", "stopping"}, false},
		{[]string{"init", "--version", "x"}, false},
		{nil, false},
	} {
		if got := IsAsked(test.args); got != test.want {
			t.Errorf("%q: %v", test.args, got)
		}
	}
}
