package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where the host has AppArmor, a container and what is executed in it run under a profile of its own that is enforced.
func TestAppArmorFeature(t *testing.T) {
	if enabled, err := os.ReadFile("/sys/module/apparmor/parameters/enabled"); err != nil || strings.TrimSpace(string(enabled)) != "Y" {
		t.Skip("the kernel has no AppArmor, or it is off")
	}
	create(t, "t-armor", "-C", "-u", "apache2")
	must(t, "start", "t-armor")
	if got := inside(t, "t-armor", "curl -s http://localhost/ | grep -q 'Default Page' && echo served; systemctl --failed --no-legend --plain"); got != "served\n" {
		t.Errorf("apache2 does not serve, or units failed: %q", got)
	}
	profile := inside(t, "t-armor", "cat /proc/1/attr/current")
	if !strings.HasPrefix(profile, "libvirt-") || !strings.HasSuffix(strings.TrimSpace(profile), "(enforce)") {
		t.Errorf("the first process has the profile %q", profile)
	}
	for _, pid := range []string{"self", "$(pidof -s apache2)"} {
		if got := inside(t, "t-armor", "cat /proc/"+pid+"/attr/current"); got != profile {
			t.Errorf("%s has the profile %q, the first process %q", pid, got, profile)
		}
	}
	// With what else stands in the way switched off.
	must(t, "stop", "t-armor")
	edit(t, "t-armor", "[limits]", "[hardening]\nread-only-kernel=no\nhide-kernel=no\n\n[limits]")
	must(t, "start", "t-armor")
	for script, refusal := range map[string]string{
		"echo h >/proc/sysrq-trigger": "denied",
		// Here the want of CAP_SYS_ADMIN comes first.
		"mount -o remount,bind,rw /proc/sys; echo x >/proc/sys/kernel/core_pattern": "",
		"mount --bind /proc/sys /tmp":                                                  "",
		"mkdir -p /tmp/p; mount -t proc proc /tmp/p":                                   "",
		"mkdir -p /tmp/r; mount --rbind / /tmp/r && echo h >/tmp/r/proc/sysrq-trigger": "",
	} {
		if o := run(t, "execute", "t-armor", "--", "sh", "-c", "exec 2>&1; "+script); o.status == 0 || !strings.Contains(o.stdout, refusal) {
			t.Errorf("%s: %+v", script, o)
		}
	}
	remove(t, "t-armor")
	if left, _ := filepath.Glob("/etc/apparmor.d/libvirt/libvirt-*"); len(left) > 0 {
		t.Errorf("profiles left behind: %q", left)
	}
}
