// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Each of the distribution's services starts, answers on its port in a network of its own, and has content of its own.
func TestDistributionServices(t *testing.T) {
	rig.On(t, rig.Native, rig.Host, rig.VM)
	for _, service := range []struct {
		unit    string
		ask     string // what the service must answer
		answer  string
		private []string // files of the service that must be the container's own
	}{
		{"apache2", "curl -s http://localhost/", "Apache2 Debian Default Page",
			[]string{"/etc/apache2/apache2.conf", "/var/www/html/index.html"}},
		{"ssh", "busybox nc -w 2 127.0.0.1 22 </dev/null", "SSH-2.0-OpenSSH", []string{"/etc/ssh/sshd_config"}},
		{"mariadb", "mariadb -N -e 'select 6*7'", "42", []string{"/etc/mysql/mariadb.cnf", "/var/lib/mysql/ibdata1"}},
		{"dovecot", "(sleep 1; printf 'a logout\\r\\n'; sleep 1) | busybox nc -w 5 127.0.0.1 143", "Dovecot (Debian) ready",
			[]string{"/etc/dovecot/dovecot.conf"}},
	} {
		t.Run(service.unit, func(t *testing.T) {
			if service.unit == "apache2" {
				rig.On(t, rig.Native, rig.Host) // The emulated machine has it with the host's ids, and on the page.
			} else {
				rig.On(t, rig.Native, rig.VM) // The host has no other.
			}
			serves(t, service.unit, service.ask, service.answer, service.private)
		})
		t.Run(service.unit+" with the host's ids", func(t *testing.T) {
			switch service.unit {
			case "apache2":
				rig.On(t, rig.Native, rig.Host, rig.VM)
			default: // One is enough for the slow ones.
				rig.On(t, rig.Native)
			}
			serves(t, service.unit, service.ask, service.answer, service.private, "--idmap", "none")
		})
	}
}

// serves runs a service of the distribution and checks what it answers, and that a delete leaves nothing.
func serves(t *testing.T, unit, ask, answer string, private []string, options ...string) {
	t.Helper()
	before := snapshot(t)
	name := "t-" + unit
	create(t, name, append(options, "-C", "-u", unit)...)
	for _, time := range []string{"first", "second"} {
		must(t, "start", name)
		if got := inside(t, name, ask); !strings.Contains(got, answer) {
			t.Errorf("after the %s start %s answers %q, want %q in it", time, unit, got, answer)
		}
		if time == "first" {
			must(t, "stop", name)
		}
	}
	for _, file := range private {
		hasOwn(t, name, file)
	}
	if failed := inside(t, name, "systemctl --failed --no-legend --plain"); failed != "" {
		t.Errorf("units that failed inside:\n%s", failed)
	}
	remove(t, name)
	sameAs(t, before, "after delete")
}

// hasOwn checks that a file is writable inside, that the change shows in the content and not on the host.
func hasOwn(t *testing.T, name, file string) {
	t.Helper()
	onHost, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	inTree, err := os.Stat(filepath.Join(contentDir, name, file))
	if err != nil {
		t.Fatalf("%s is not in the content: %v", file, err)
	}
	if os.SameFile(onHost, inTree) {
		t.Errorf("%s is the host's own file", file)
	}
	inside(t, name, "chmod u+w "+file+" && chmod o+t "+file)
	if info, err := os.Stat(file); err != nil || info.Mode() != onHost.Mode() {
		t.Errorf("%s: a change inside reached the host: %v", file, info.Mode())
	}
	if info, err := os.Stat(filepath.Join(contentDir, name, file)); err != nil || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("%s: a change inside did not reach the content: %v", file, err)
	}
}

// With --empty a container starts from bare content.
func TestBareContent(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-bare", "--empty", "-u", "apache2")
	info, err := os.Stat(contentDir + "/t-bare/etc/apache2")
	if err != nil || !info.IsDir() {
		t.Fatalf("no bare directory: %v", err)
	}
	if files, err := os.ReadDir(contentDir + "/t-bare/etc/apache2"); err != nil || len(files) != 0 {
		t.Errorf("bare directory has %v, %v", files, err)
	}
	info, err = os.Stat(contentDir + "/t-bare/etc/default/apache-htcacheclean")
	if err != nil || info.Size() != 0 {
		t.Errorf("bare file: %v, %v", info, err)
	}
}
