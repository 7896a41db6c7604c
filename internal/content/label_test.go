// SPDX-License-Identifier: Apache-2.0

package content

import (
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// A start needs the type that a sandbox of our processes is set up in, under whichever name, and the one of what it is
// shown; what it lacks is told with the command that mends it.
func TestCheckStart(t *testing.T) {
	lacking := func(unknown string) func(string) error {
		return func(context string) error {
			return checkContext(context, func(c string) bool { return !strings.Contains(c, unknown) })
		}
	}
	for _, c := range []struct{ label, unknown, want string }{
		{"", "nothing", ""},
		{"", "virt_sandbox_setup_t", "does not know type virt_sandbox_setup_t; run make install-selinux"},
		{"container_t", "virt_sandbox_setup_t", "does not know type virt_sandbox_setup_t; run make install-selinux"},
		{"svirt_lxc_net_t", "container_ro_file_t", "does not know type container_ro_file_t; run make install-selinux"},
		{"custom_t", "virt_sandbox_setup_t", ""},
		{"", "virt_sandbox_t", "does not know type virt_sandbox_t; run make install-selinux"},
	} {
		s := config.New("web")
		s.Security.Level = "s0:c1,c2"
		if c.label != "" {
			s.Security.Label = secontext.Context{User: "system_u", Role: "system_r", Type: c.label}
		}
		err := checkStart(s, lacking(c.unknown))
		if (err == nil) != (c.want == "") || err != nil && !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s without %s: got %v, want %q", c.label, c.unknown, err, c.want)
		}
	}
	s := config.New("web")
	s.Security.Mode = config.SecurityDynamic
	if err := checkStart(s, lacking("virt_sandbox_setup_t")); err == nil {
		t.Error("with a level of each start a start needs no set-up")
	}
	if s.Security.Mode = config.SecurityDynamic; SetupLabel(s) != "" {
		t.Errorf("before the level is known the set-up has the label %s", SetupLabel(s))
	}
}

// TestCheckContext asks a policy that knows two users, types and 256 categories.
func TestCheckContext(t *testing.T) {
	valid := func(context string) bool {
		part := strings.SplitN(context, ":", 4)
		user := part[0] == "system_u" || part[0] == "user_u" && part[3] == "s0"
		role := part[1] == "object_r" || part[1] == "system_r" && part[0] == "system_u" && part[2] == "container_t"
		kind := part[2] == "container_t" || part[2] == "container_file_t"
		return user && role && kind && part[3] != "s0:c256"
	}
	cases := []struct{ context, want string }{
		{"system_u:system_r:container_t:s0:c1,c2", ""},
		{"system_u:object_r:container_file_t:s0", ""},
		{"system_u:object_r:foo_t:s0", "the loaded policy does not know type foo_t"},
		{"nobody_u:system_r:container_t:s0", "the loaded policy does not know user nobody_u"},
		{"system_u:system_r:container_t:s0:c256", "the loaded policy does not know level s0:c256"},
		{"system_u:no_r:container_t:s0", "the loaded policy does not allow system_u:no_r:container_t:s0: its role may not " +
			"have that type, or its user not that role or level"},
		{"user_u:object_r:container_t:s0:c1", "the loaded policy does not allow user_u:object_r:container_t:s0:c1: its " +
			"role may not have that type, or its user not that role or level"},
	}
	const unknown = "system_u:object_r:container_file_t:s0"
	want := "the loaded policy does not know type container_file_t; run make install-selinux"
	if err := checkContext(unknown, func(string) bool { return false }); err == nil || err.Error() != want {
		t.Errorf("without types of containers: %v, want %s", err, want)
	}
	for _, c := range cases {
		err := checkContext(c.context, valid)
		if (err == nil) != (c.want == "") || (err != nil && err.Error() != c.want) {
			t.Errorf("%s: got %v, want %s", c.context, err, c.want)
		}
	}
}
