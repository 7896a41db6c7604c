// SPDX-License-Identifier: Apache-2.0

// Package policy asks the built SELinux policies, those of the virtual machine's image with our module in them, for
// what must not be allowed.
package policy

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The worst that a container could be allowed. A search that finds a rule fails; setools' sesearch(1) has the options.
func TestNeverAllowed(t *testing.T) {
	rig.On(t, rig.Policy)
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
		{"to change other cgroups", []string{"-t", "cgroup_t", "-c", "file", "-p", "write,append,setattr,create,relabelto"}},
		{"to make other cgroups", []string{"-t", "cgroup_t", "-c", "dir", "-p", "write,add_name,remove_name,create,rmdir"}},
		{"to lock the host's programs and data", []string{"-t", "usr_t", "-c", "file", "-p", "lock"}},
		{"to lock the host's programs", []string{"-t", "bin_t", "-c", "file", "-p", "lock"}},
		{"to lock what all containers see of /etc", []string{"-t", "container_ro_file_t", "-c", "file", "-p", "lock"}},
		{"to load what it wrote into the kernel", []string{"-c", "system", "-p", "module_load"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			for world, policy := range worlds(t) {
				if found := search(t, policy, append([]string{"-A", "-s", "virt_sandbox_t"}, c.search...)); found != "" {
					t.Errorf("%s: a container is allowed %s:\n%s", world, c.what, found)
				}
			}
		})
	}
}

// Of disks a container opens those that it was given, whoever made the node of another.
func TestOpensOnlyItsDisks(t *testing.T) {
	rig.On(t, rig.Policy)
	for world, policy := range worlds(t) {
		for line := range strings.Lines(search(t, policy, []string{"-A", "-s", "virt_sandbox_t", "-c", "blk_file"})) {
			if target, _, _ := strings.Cut(strings.Fields(line)[2], ":"); target != "container_file_t" {
				t.Errorf("%s: a container opens %s", world, line)
			}
		}
		if found := search(t, policy, []string{"-A", "-s", "virt_sandbox_t", "-c", "blk_file", "-p",
			"create,mounton,relabelto"}); found != "" {
			t.Errorf("%s: a container makes disks:\n%s", world, found)
		}
	}
}

// What lies in the host's /etc no container opens: each has a copy of what is for everybody.
func TestReadsNoEtc(t *testing.T) {
	rig.On(t, rig.Policy)
	for world, policy := range worlds(t) {
		types := []string{"etc_t", "etc_runtime_t", "net_conf_t", "shadow_t", "dbusd_etc_t"}
		if world == beside {
			types = append(types, "passwd_file_t")
		}
		for _, name := range types {
			rule := []string{"-A", "-s", "virt_sandbox_t", "-t", name, "-c", "file", "-p", "open,read,map,execute"}
			if found := search(t, policy, rule); found != "" {
				t.Errorf("%s: a container reads %s:\n%s", world, name, found)
			}
		}
	}
}

// What the host's policy has below /usr a container reads and executes, under whatever types, but for what is no
// software: packages keep programs and data there that need both.
func TestReadsUsr(t *testing.T) {
	rig.On(t, rig.Policy)
	// Data, templates of devices, places, and what is the kernel's.
	other := strings.Fields("afs_cache_t afs_config_t afs_dbdir_t afs_ka_db_t afs_logfile_t afs_pt_db_t afs_vl_db_t " +
		"krb5kdc_conf_t krb5kdc_principal_t nagios_var_lib_t nx_server_ssh_home_t nx_server_var_lib_t postgresql_db_t " +
		"snmpd_var_lib_t vmware_sys_conf_t xferlog_t cupsd_log_t cupsd_rw_etc_t dovecot_cert_t etc_t mozilla_plugin_rw_t " +
		"device_t fixed_disk_device_t fuse_device_t null_device_t ppp_device_t printer_device_t tun_tap_device_t " +
		"zero_device_t hugetlbfs_t tmpfs_t lost_found_t tmp_t var_run_t xdm_var_run_t " +
		"cpucontrol_conf_t modules_dep_t modules_object_t") // of the kernel
	contexts := fileContexts(t)
	for world, policy := range worlds(t) {
		readable := make(map[string]bool)
		for line := range strings.Lines(output(t, "seinfo", policy, "-a", "virt_sandbox_shown", "-x")) {
			readable[strings.TrimSpace(line)] = true
		}
		for _, name := range other {
			if readable[name] {
				t.Errorf("%s: %s is listed as not to be read", world, name)
			}
		}
		for place, name := range contexts {
			if !readable[name] && !slices.Contains(other, name) {
				t.Errorf("%s: a container does not read %s, which has the type %s", world, place, name)
			}
		}
	}
	rule := []string{"-A", "-s", "virt_sandbox_t", "-t", "usr_t", "-c", "file", "-p", "execute_no_trans"}
	for world, policy := range worlds(t) {
		if search(t, policy, rule) == "" {
			t.Errorf("%s: a container executes no scripts in /usr/share", world)
		}
	}
}

// fileContexts returns the types that the host's policy gives to files and directories below /usr, by patterns.
func fileContexts(t *testing.T) map[string]string {
	t.Helper()
	disk := filepath.Join(strings.TrimSpace(output(t, "../vm/image")), "disk")
	types := make(map[string]string)
	const file = "/etc/selinux/default/contexts/files/file_contexts"
	for line := range strings.Lines(output(t, "debugfs", "-R", "cat "+file, disk)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "/usr/") || len(fields) == 3 && fields[1] != "--" {
			continue
		}
		if context := strings.Split(fields[len(fields)-1], ":"); len(context) > 2 {
			types[fields[0]] = context[2]
		}
	}
	if len(types) < 500 {
		t.Fatalf("the policy has only %d patterns below /usr", len(types))
	}
	return types
}

// A container writes to its own files, and to no other type.
func TestWritesOnlyItsOwn(t *testing.T) {
	rig.On(t, rig.Policy)
	for world, policy := range worlds(t) {
		for _, class := range []string{"file", "dir", "lnk_file", "sock_file", "fifo_file"} {
			t.Run(world+"/"+class, func(t *testing.T) {
				t.Parallel()
				checkWrites(t, policy, class)
			})
		}
	}
}

func checkWrites(t *testing.T, policy, class string) {
	const write = "write,append,create,unlink,link,rename,setattr,add_name,remove_name,rmdir,reparent,mounton"
	valid := "write,append,create,unlink,link,rename,setattr"
	if class == "dir" {
		valid = write
	}
	for line := range strings.Lines(search(t, policy, []string{"-A", "-s", "virt_sandbox_t", "-c", class, "-p", valid})) {
		target, _, _ := strings.Cut(strings.Fields(line)[2], ":")
		switch {
		case target == "container_file_t", target == "virt_sandbox_t", target == "virt_sandbox_domain":
		case target == "setrans_runtime_t" && class == "sock_file":
			// The host's policy lets every process ask for the names of levels.
		case target == "virt_sandbox_caller" || target == "virtd_lxc_t":
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
	for world, policy := range worlds(t) {
		text := output(t, "seinfo", policy, "-t", "virt_sandbox_t", "-x")
		if !strings.Contains(text, "mcs_constrained_type") || strings.Contains(text, "unconfined") {
			t.Errorf("%s: virt_sandbox_t has the wrong attributes: %s", world, text)
		}
		for alias, of := range map[string]string{
			"svirt_lxc_file_t": "container_file_t", "svirt_sandbox_file_t": "container_file_t",
			"container_t":     map[string]string{own: "virt_sandbox_t", beside: "container_t"}[world],
			"svirt_lxc_net_t": map[string]string{own: "virt_sandbox_t", beside: "container_t"}[world],
		} {
			if text := output(t, "seinfo", policy, "-t", alias, "-x"); !strings.Contains(text, "type "+of) {
				t.Errorf("%s: %s is not an alias of %s: %s", world, alias, of, text)
			}
		}
		if text := output(t, "seinfo", policy, "--permissive"); strings.Contains(text, "container") ||
			strings.Contains(text, "virt") {
			t.Errorf("%s: permissive: %s", world, text)
		}
	}
}

// Containers of different levels are apart also in what the constraints of some hosts leave out.
func TestConstraints(t *testing.T) {
	rig.On(t, rig.Policy)
	for world, policy := range worlds(t) {
		text := output(t, "seinfo", policy, "--constrain")
		for _, apart := range []string{
			"process { getattr getcap getsched getsession setpgid setrlimit setsched signull }",
			"unix_stream_socket connectto", "unix_dgram_socket sendto", "key { create link read search setattr view write }",
		} {
			if !strings.Contains(text, "mlsconstrain "+apart+" (h1 dom h2 or ( t1 != virt_sandbox_apart ))") {
				t.Errorf("%s: %s of another level is not out of reach:\n%s", world, apart, text)
			}
		}
	}
}

// Beside container-selinux its types gain nothing but to be set up by us, and a container has what that policy calls
// otherwise.
func TestBesideContainerSELinux(t *testing.T) {
	rig.On(t, rig.Policy)
	policy := worlds(t)[beside]
	for line := range strings.Lines(search(t, policy, []string{"-A", "-s", "container_t"})) {
		field := strings.Fields(line)
		target, _, _ := strings.Cut(field[2], ":")
		if strings.HasPrefix(field[1], "virt_sandbox") && (field[1] != "virt_sandbox_payload" ||
			target != "virt_sandbox_setup_t") {
			t.Errorf("container_t gains %s", line)
		}
	}
	for _, rule := range [][]string{
		{"-t", "proc_security_t", "-c", "file", "-p", "getattr"},
		{"-t", "io_uring_t", "-c", "anon_inode", "-p", "create"},
	} {
		if search(t, policy, append([]string{"-A", "-s", "virt_sandbox_t"}, rule...)) == "" {
			t.Errorf("a container may not: %q", rule)
		}
	}
}

// The policies of the machine's image.
const (
	own    = "our types"
	beside = "beside container-selinux"
)

// worlds gives the file of each policy: of a host whose types of containers are ours, and of one that had them before.
func worlds(t *testing.T) map[string]string {
	t.Helper()
	image := strings.TrimSpace(output(t, "../vm/image"))
	return map[string]string{own: filepath.Join(image, "policy"), beside: filepath.Join(image, "policy-container")}
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
