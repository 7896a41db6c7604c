// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const machine = "virt_sandbox_vm_t"

// rule is one line of what QEMU of a virtual machine is allowed.
type rule struct {
	text          string
	target, class string
	permissions   []string
}

// machineRules asks once for all of them, which takes seconds.
func machineRules(t *testing.T, policy string) []rule {
	t.Helper()
	var rules []rule
	for line := range strings.Lines(search(t, policy, []string{"--allow", "-s", machine})) {
		line, _, _ = strings.Cut(line, ";")
		words := strings.Fields(line)
		target, class, found := strings.Cut(words[2], ":")
		if !found {
			t.Fatalf("no rule: %s", line)
		}
		permissions := slices.DeleteFunc(words[3:], func(word string) bool { return word == "{" || word == "}" })
		rules = append(rules, rule{line, target, class, permissions})
	}
	return rules
}

// allows reports whether a rule has one of these.
func (r rule) allows(permissions ...string) bool {
	return slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(r.permissions, p) })
}

// What QEMU may do to whom: each rule that the policy has, be it ours or for all processes of a host, is one of these.
// It writes to what its machine was given and reads what a machine is shown; it has no capability but to search what is
// closed to root, makes no network socket, mounts, relabels and executes nothing, becomes nothing else, and reaches no
// other process.
func TestMachineRules(t *testing.T) {
	rig.On(t, rig.Policy)
	given := []string{"container_file_t", "svirt_image_t", machine}
	shown := append([]string{"virt_sandbox_shown", "container_ro_file_t", "virt_content_t", "qemu_exec_t", "ld_so_cache_t",
		"ld_so_t", "lib_t", "textrel_shlib_t", "locale_t", "proc_t", "cpu_online_t", "sysctl_vm_overcommit_t",
		"sysctl_crypto_t"}, given...)
	libraries := []string{"qemu_exec_t", "ld_so_t", "lib_t", "textrel_shlib_t"}
	devices := []string{"null_device_t", "zero_device_t", "urandom_device_t", "devtty_t", "kvm_device_t", "vhost_device_t",
		"tun_tap_device_t", "ptmx_t", "container_file_t"}
	open := []string{"virt_sandbox_vm_maker", "virtlogd_t", "initrc_t", machine} // pipes and descriptors
	// What libvirt has opened for it, for the number of the process.
	opened := []string{"svirt_runtime_t", "qemu_runtime_t"}
	for world, policy := range worlds(t) {
		rules := machineRules(t, policy)
		if len(rules) < 50 {
			t.Fatalf("%s: only %d rules", world, len(rules))
		}
		for _, r := range rules {
			ok := false
			switch r.class {
			case "capability":
				ok = len(r.permissions) == 1 && r.allows("dac_read_search")
			case "file":
				ok = !r.allows("execute_no_trans", "relabelfrom", "relabelto", "mounton") &&
					(!r.allows("read", "open", "map") || slices.Contains(shown, r.target)) &&
					(!r.allows("write", "append", "create", "unlink", "link", "rename", "setattr") ||
						slices.Contains(given, r.target) || slices.Contains(opened, r.target) && !r.allows("open")) &&
					(!r.allows("execute") || slices.Contains(libraries, r.target)) &&
					(!r.allows("entrypoint") || r.target == "qemu_exec_t")
			case "dir", "lnk_file", "fifo_file", "sock_file":
				ok = !r.allows("relabelfrom", "relabelto", "mounton") &&
					(!r.allows("write", "append", "create", "unlink", "link", "rename", "setattr", "add_name", "remove_name") ||
						slices.Contains(given, r.target) || r.class == "fifo_file" && slices.Contains(open, r.target) ||
						r.target == "setrans_runtime_t") // The host's policy lets every process ask for the names of levels.
			case "chr_file":
				ok = slices.Contains(devices, r.target) && !r.allows("create") &&
					(r.target != "tun_tap_device_t" && r.target != "vhost_device_t" || !r.allows("open"))
			case "filesystem":
				ok = !r.allows("mount", "unmount", "remount", "relabelfrom", "relabelto", "associate")
			case "fd", "lockdown":
				ok = true
			case "process":
				ok = !r.allows("transition", "dyntransition", "setcurrent", "setexec", "setfscreate", "ptrace") &&
					(r.target == machine || !r.allows("signal", "sigkill", "sigstop", "signull"))
			case "unix_stream_socket":
				ok = r.target == machine || r.target == "setrans_t"
			case "tcp_socket", "association", "peer":
				ok = !r.allows("create", "bind", "connect", "name_bind", "name_connect") // Labels of packets from others.
			}
			if !ok {
				t.Errorf("%s: QEMU is allowed too much: %s", world, r.text)
			}
		}
	}
}

// A virtual machine has what a host's policy lacks to keep levels apart, and libvirtd starts it.
func TestMachineAttributes(t *testing.T) {
	rig.On(t, rig.Policy)
	for world, policy := range worlds(t) {
		text := output(t, "seinfo", policy, "-t", machine, "-x")
		if !strings.Contains(text, "mcs_constrained_type") || !strings.Contains(text, "virt_sandbox_apart") ||
			strings.Contains(text, "unconfined") || strings.Contains(text, "virt_domain") {
			t.Errorf("%s: %s has the wrong attributes: %s", world, machine, text)
		}
		started := []string{"-A", "-s", "virtd_t", "-t", machine, "-c", "process", "-p", "transition"}
		if search(t, policy, started) == "" {
			t.Errorf("%s: libvirtd does not start it", world)
		}
	}
}
