// SPDX-License-Identifier: Apache-2.0

// Package policy asks the built SELinux policy, that of the virtual machine's image with our module in it, for what
// must not be allowed.
package policy

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The worst that a container could be allowed. A search that finds a rule fails; setools' sesearch(1) has the options.
func TestNeverAllowed(t *testing.T) {
	rig.On(t, rig.Policy)
	policy := built(t)
	for _, c := range []struct {
		what   string
		search []string
	}{
		{"to mount, unmount or remount any file system", []string{"-c", "filesystem", "-p",
			"mount,unmount,remount,relabelfrom,relabelto"}},
		{"to have CAP_SYS_ADMIN and what else reaches the whole machine",
			[]string{"-c", "capability", "-p",
				"sys_admin,sys_module,sys_rawio,sys_time,sys_boot,mknod,dac_read_search,linux_immutable,sys_pacct"}},
		{"to have any of the newer capabilities", []string{"-c", "capability2"}},
		{"to mount in a user namespace", []string{"-c", "cap_userns", "-p", "sys_admin,sys_module,mknod"}},
		{"to load modules and policies, or switch SELinux", []string{"-c", "security"}},
		{"to load modules and read the kernel's log", []string{"-c", "system"}},
		{"to load BPF programs", []string{"-c", "bpf"}},
		{"to make device nodes", []string{"-c", "chr_file", "-p", "create"}},
		{"to become anything else", []string{"-c", "process", "-p", "transition,dyntransition,setcurrent,setexec"}},
		{"to relabel", []string{"-c", "file", "-p", "relabelfrom,relabelto"}},
		{"to relabel directories", []string{"-c", "dir", "-p", "relabelfrom,relabelto"}},
		{"to read password hashes", []string{"-t", "shadow_t"}},
		{"to touch the kernel's memory", []string{"-t", "memory_device_t"}},
		{"to touch the kernel's log device", []string{"-t", "kmsg_device_t"}},
		{"to use other cgroups", []string{"-t", "cgroup_t", "-c", "file"}},
		{"to load what it wrote into the kernel", []string{"-c", "system", "-p", "module_load"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			if found := search(t, policy, append([]string{"-A", "-s", "container_t"}, c.search...)); found != "" {
				t.Errorf("a container is allowed %s:\n%s", c.what, found)
			}
		})
	}
}

// Of disks a container opens those that it was given, whoever made the node of another.
func TestOpensOnlyItsDisks(t *testing.T) {
	rig.On(t, rig.Policy)
	policy := built(t)
	for line := range strings.Lines(search(t, policy, []string{"-A", "-s", "container_t", "-c", "blk_file"})) {
		if target, _, _ := strings.Cut(strings.Fields(line)[2], ":"); target != "container_file_t" {
			t.Errorf("a container opens %s", line)
		}
	}
	if found := search(t, policy, []string{"-A", "-s", "container_t", "-c", "blk_file", "-p",
		"create,mounton,relabelto"}); found != "" {
		t.Errorf("a container makes disks:\n%s", found)
	}
}

// A container writes to its own files, and to no other type.
func TestWritesOnlyItsOwn(t *testing.T) {
	rig.On(t, rig.Policy)
	policy := built(t)
	for _, class := range []string{"file", "dir", "lnk_file", "sock_file", "fifo_file"} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			checkWrites(t, policy, class)
		})
	}
}

func checkWrites(t *testing.T, policy, class string) {
	const write = "write,append,create,unlink,link,rename,setattr,add_name,remove_name,rmdir,reparent,mounton"
	valid := "write,append,create,unlink,link,rename,setattr"
	if class == "dir" {
		valid = write
	}
	for line := range strings.Lines(search(t, policy, []string{"-A", "-s", "container_t", "-c", class, "-p", valid})) {
		target, _, _ := strings.Cut(strings.Fields(line)[2], ":")
		switch {
		case target == "container_file_t", target == "container_t", target == "virt_sandbox_domain":
		case target == "setrans_runtime_t" && class == "sock_file":
			// The host's policy lets every process ask for the names of levels.
		case target == "initrc_t" || target == "unconfined_t" || target == "virtd_lxc_t":
			// A pipe that whoever executes a command gives it.
			if class != "fifo_file" {
				t.Errorf("a container writes to %s", line)
			}
		default:
			t.Errorf("a container writes to %s", line)
		}
	}
}

// The types are constrained by MCS, for processes, files and keys, and unconfined by nothing.
func TestAttributes(t *testing.T) {
	rig.On(t, rig.Policy)
	policy := built(t)
	text := output(t, "seinfo", policy, "-t", "container_t", "-x")
	if !strings.Contains(text, "mcs_constrained_type") || strings.Contains(text, "unconfined") {
		t.Errorf("container_t has the wrong attributes: %s", text)
	}
	for _, alias := range []string{"svirt_lxc_net_t", "svirt_lxc_file_t", "svirt_sandbox_file_t"} {
		if text := output(t, "seinfo", policy, "-t", alias); !strings.Contains(text, "container_") {
			t.Errorf("%s is not an alias: %s", alias, text)
		}
	}
	if text := output(t, "seinfo", policy, "--permissive"); strings.Contains(text, "container") ||
		strings.Contains(text, "virt") {
		t.Errorf("permissive: %s", text)
	}
}

// built gives the policy of the machine's image.
func built(t *testing.T) string {
	t.Helper()
	return filepath.Join(strings.TrimSpace(output(t, "../vm/image")), "policy")
}

func search(t *testing.T, policy string, options []string) string {
	t.Helper()
	var rules strings.Builder
	for line := range strings.Lines(output(t, "sesearch", append([]string{policy}, options...)...)) {
		if strings.TrimSpace(line) != "" {
			rules.WriteString(line)
		}
	}
	return rules.String()
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return string(out)
}
