// SPDX-License-Identifier: Apache-2.0

package specifier

import (
	"strings"
	"testing"
)

func host() (string, error) { return "host7", nil }

func TestExpand(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"web@a-b.c", "%i", "a-b.c"},
		{"web@a-b.c", "/srv/%I/x", "/srv/a/b.c/x"},
		{"big-web@a", "%n %p %j %H %%i", "big-web@a big-web web host7 %i"},
		{"web", "[%i] [%I] %n %p %j", "[] [] web web web"},
		{"web", "50%%", "50%"},
		{"web", "none", "none"},
	} {
		names := Of(c.name)
		names.Hostname = host
		if got, err := names.Expand(c.value, false); err != nil || got != c.want {
			t.Errorf("%s: %q became %q, %v; want %q", c.name, c.value, got, err, c.want)
		}
	}
	for value, unknown := range map[string]string{"%Y": `"%Y"`, "50%": `"%"`, "a%äb": `"%ä"`, "%1": `"%1"`} {
		if _, err := Of("web").Expand(value, false); err == nil || !strings.HasPrefix(err.Error(), unknown+" is not known") {
			t.Errorf("%q: %v", value, err)
		}
	}
}

// TestAddresses: an interface's gateways and broadcast addresses stand behind a percent sign.
func TestAddresses(t *testing.T) {
	const value = "address=10.0.0.5/24%10.0.0.255,route=::/0%fd00::1,route=::/0%::1,filter=%i"
	if got, err := Of("web@a").Expand(value, true); err != nil || got != strings.Replace(value, "%i", "a", 1) {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzExpand: what Escape writes is read back, and what a specifier stands for is all that comes into a value.
func FuzzExpand(f *testing.F) {
	for _, value := range []string{"%i", "%%", "a%1", "%", "%H%n", "%%%1", "\xff%\xff", "%ä"} {
		f.Add(value, true)
		f.Add(value, false)
	}
	f.Fuzz(func(t *testing.T, value string, addresses bool) {
		names := Of("web@a")
		names.Hostname = host
		if back, err := names.Expand(Escape(value, addresses), addresses); err != nil || back != value {
			t.Errorf("%q was escaped to %q and read as %q, %v", value, Escape(value, addresses), back, err)
		}
		got, err := names.Expand(value, addresses)
		if err == nil && strings.Count(got, "%") > strings.Count(value, "%") {
			t.Errorf("%q became %q", value, got)
		}
		if err != nil && !strings.Contains(value, "%") {
			t.Errorf("%q: %v", value, err)
		}
	})
}
