// SPDX-License-Identifier: Apache-2.0

package pathname

import "testing"

func TestIsWithin(t *testing.T) {
	for _, c := range []struct {
		p, dir        string
		within, below bool
	}{
		{"/srv", "/srv", true, false},
		{"/srv/a", "/srv", true, true},
		{"/srv/a/b", "/srv/a", true, true},
		{"/srvx", "/srv", false, false},
		{"/srv", "/srv/a", false, false},
		{"/srv", "/", true, true},
		{"/", "/", true, false},
		{"/", "/srv", false, false},
		{"/srv-a/b", "/srv", false, false},
	} {
		if got := IsWithin(c.p, c.dir); got != c.within {
			t.Errorf("IsWithin(%q, %q) = %v", c.p, c.dir, got)
		}
		if got := IsBelow(c.p, "/other", c.dir); got != c.below {
			t.Errorf("IsBelow(%q, /other, %q) = %v", c.p, c.dir, got)
		}
	}
	if IsBelow("/srv/a") || IsWithin("/srv/a") {
		t.Error("a path lies in none of no directories")
	}
}
