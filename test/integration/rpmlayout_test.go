// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// fedoraService is one of the four services of Fedora's feature page, in the layout of Fedora's packages
// (test/rpm-layout).
type fedoraService struct {
	name    string   // of its unit
	private []string // what of the host a container has for itself, and why
	prepare string   // is run inside before it is asked
	ask     string   // is run inside
	answer  string   // what it must print
}

func fedoraServices() []fedoraService {
	return []fedoraService{
		{
			"httpd",
			[]string{
				"package:httpd-filesystem /etc/httpd", "package:httpd /etc/sysconfig/htcacheclean",
				"package:httpd-core /var/cache/httpd", "package:httpd-core /var/lib/httpd",
				"package:httpd-core /var/log/httpd", "package:httpd-filesystem /var/www",
			},
			"echo '<h1>own</h1>' >/var/www/html/index.html",
			"curl -sS http://localhost/; curl -sSk https://localhost/",
			"<h1>own</h1>\n<h1>own</h1>",
		},
		{
			"mariadb",
			[]string{
				"package:mariadb-config /etc/my.cnf.d", "package:mariadb-config /etc/my.cnf",
				"package:mariadb-server /var/lib/mysql", "package:mariadb-server /var/log/mariadb",
			},
			"mariadb -e 'create database own; create table own.t (a int); insert into own.t values (6), (7)'",
			"mariadb -N -e 'select sum(a) from own.t'; stat -c %U /var/log/mariadb/mariadb.log",
			"13\nmysql",
		},
		{
			"sshd",
			[]string{"package:openssh /etc/ssh", "package:openssh-server /etc/sysconfig/sshd"},
			"mkdir -pm 700 /root/.ssh && cd /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f id && cp id.pub authorized_keys",
			"ssh -o StrictHostKeyChecking=no -i /root/.ssh/id localhost 'hostname; echo $SSH_CONNECTION | wc -w' 2>/dev/null",
			"t-sshd\n4",
		},
		{
			"dovecot",
			[]string{
				"package:dovecot /etc/dovecot", "package:dovecot /etc/pki/dovecot",
				"script:dovecot /var/lib/dovecot-made-by-post", "package:dovecot /var/lib/dovecot",
			},
			"useradd -m tester && echo tester:secret | chpasswd",
			`(sleep 1; printf 'a login tester secret\r\nb list "" *\r\nc logout\r\n'; sleep 1) | ` +
				"openssl s_client -quiet -connect localhost:993 2>/dev/null | grep -c -e '^a OK' -e 'INBOX' -e '^c OK'",
			"3",
		},
	}
}

// On a host whose only package database is RPM's, with paths, users and units as Fedora's packages have them, each
// service of the feature page has of its own what its packages have, starts without a failed unit, and leaves nothing.
func TestRPMLayoutServices(t *testing.T) {
	rig.On(t, rig.RPMLayout)
	rig.Needs(t, rig.Systemd)
	if _, err := os.Stat("/var/lib/dpkg"); err == nil {
		t.Fatal("the host has a database of dpkg's")
	}
	for _, s := range fedoraServices() {
		if testing.Short() && s.name == "httpd" {
			continue // The page runs it.
		}
		t.Run(s.name, func(t *testing.T) {
			before := snapshot(t)
			name, unit := "t-"+s.name, s.name+"@t-"+s.name+".service"
			if got := privateOf(must(t, "create", "--dry-run", "-C", "-u", s.name+".service", name)); !slices.Equal(got,
				s.private) {
				t.Errorf("create --dry-run has private\n%q, want\n%q", got, s.private)
			}
			create(t, name, "-C", "-u", s.name+".service")
			systemctl(t, "start", unit)
			inside(t, name, s.prepare)
			times := []string{"the first start", "a restart"}
			if testing.Short() {
				times = times[:1]
			}
			for _, when := range times {
				if got := strings.TrimSpace(inside(t, name, s.ask)); got != s.answer {
					t.Errorf("after %s it answers %q, want %q", when, got, s.answer)
				}
				if failed := inside(t, name, "systemctl --failed --no-legend --plain"); failed != "" {
					t.Errorf("after %s units inside have failed:\n%s", when, failed)
				}
				if when != times[len(times)-1] {
					systemctl(t, "restart", unit)
				}
			}
			if got := must(t, "list"); strings.Contains(got, "degraded") {
				t.Errorf("list: %s", got)
			}
			must(t, "check", name)
			systemctl(t, "stop", unit)
			must(t, "delete", name)
			sameAs(t, before, "after delete")
		})
	}
}

// privateOf returns origins and paths that a described sandbox has private.
func privateOf(description string) (list []string) {
	for line := range strings.Lines(description) {
		if private, found := strings.CutPrefix(line, "path="); found {
			list = append(list, strings.Join(strings.Fields(private)[:2], " "))
		}
	}
	return list
}

// The feature page on such a host, with two containers of one service, and an update of its packages beneath them.
func TestRPMLayoutPage(t *testing.T) {
	rig.On(t, rig.RPMLayout)
	rig.Needs(t, rig.Systemd)
	// The host's own server had its first start; its key is not for containers.
	shell(t, "/usr/libexec/httpd-ssl-gencerts")
	before := snapshot(t)
	makeBridge(t)
	withBridge := snapshot(t)
	for i, name := range []string{"t-page1", "t-page2"} {
		t.Cleanup(func() { remove(t, name) })
		want := "Created sandbox container dir " + contentDir + "/" + name + "\n" +
			"Created sandbox config " + configDir + "/" + name + ".sandbox\n" +
			"Created unit file /etc/systemd/system/httpd@" + name + ".service\n"
		if got := must(t, "create", "-C", "-l", "s0:c1,c"+string(rune('2'+i)), "-u", "httpd.service", "-N",
			"bridge=t-br,address="+pageAddresses[i]+"/24", name); got != want {
			t.Errorf("create prints %q, want %q", got, want)
		}
		shell(t, "echo "+name+" >"+contentDir+"/"+name+"/var/www/html/index.html")
		must(t, "start", name)
	}
	bothServe(t)
	const key = "/etc/pki/tls/private/localhost.key"
	if got, host := inside(t, "t-page1", "cat "+key), shell(t, "cat "+key); got == host || got == "" {
		t.Errorf("the key for TLS inside is the host's, or none: %q", got)
	}
	if got := inside(t, "t-page1", "curl -sSk https://localhost/"); got != "t-page1\n" {
		t.Errorf("served by TLS: %q", got)
	}
	connect := exec.Command(program, "connect", "t-page1")
	connect.Stdin = strings.NewReader("id -u; touch /var/www/html/content && touch /file\nexit 7\n")
	if o := runCommand(t, connect); o.status != 7 || o.stdout != "0\n" ||
		!strings.Contains(o.stderr, "Read-only file system") {
		t.Errorf("the shell inside: %+v", o)
	}
	must(t, "stop", "t-page1")
	systemctl(t, "start", "httpd@t-page1.service")
	systemctl(t, "enable", "httpd@t-page1.service")
	systemctl(t, "restart", "httpd@t-page2.service")
	bothServe(t)
	updated(t)
	systemctl(t, "stop", "httpd@t-page1.service", "httpd@t-page2.service")
	must(t, "delete", "t-page1", "t-page2")
	sameAs(t, withBridge, "after delete")
	shell(t, "ip link del t-br")
	sameAs(t, before, "at the end")
}

var pageAddresses = []string{"10.221.0.21", "10.221.0.22"}

func bothServe(t *testing.T) {
	t.Helper()
	for i, name := range []string{"t-page1", "t-page2"} {
		if got := shell(t, "curl -sS --max-time 10 http://"+pageAddresses[i]+"/"); got != name+"\n" {
			t.Errorf("%s serves %q", name, got)
		}
	}
}

// updated installs the next release of the packages. Who has changed a file keeps it, with the new one beside it; who
// has not gets the new one.
func updated(t *testing.T) {
	t.Helper()
	const conf = "/etc/httpd/conf/httpd.conf"
	inside(t, "t-page1", "echo '# Own.' >>"+conf+" && rm /etc/httpd/conf.d/welcome.conf")
	shell(t, "rpm --force-debian -U ../../rpms/2/httpd*.rpm ../../rpms/2/mod_ssl*.rpm")
	must(t, "upgrade", "--all")
	for name, want := range map[string][]string{
		"t-page1": {"# Release 1", "own", "# Release 2", "# New in release 2.", "gone"},
		"t-page2": {"# Release 2", "no", "none", "# New in release 2.", "there"},
	} {
		got := strings.Split(strings.TrimSpace(inside(t, name, "cd /etc/httpd; head -n 1 conf/httpd.conf; "+
			"grep -q Own conf/httpd.conf && echo own || echo no; "+
			"if test -e conf/httpd.conf.rpmnew; then head -n 1 conf/httpd.conf.rpmnew; else echo none; fi; "+
			"cat conf.d/new.conf; test -e conf.d/welcome.conf && echo there || echo gone")), "\n")
		if !slices.Equal(got, want) {
			t.Errorf("%s has after the update %q, want %q", name, got, want)
		}
		systemctl(t, "reload", "httpd@"+name+".service")
	}
	must(t, "check", "t-page2")
	bothServe(t)
}

// A drop-in of another package has httpd.service start a service of that: create says that this has nothing of its own
// in the sandbox, and what gives it that.
func TestRPMLayoutCompanion(t *testing.T) {
	rig.On(t, rig.RPMLayout)
	rig.Needs(t, rig.Systemd)
	shell(t, "rpm --force-debian -U ../../rpms/php/*.rpm")
	t.Cleanup(func() { shell(t, "rpm --force-debian -e php-fpm") })
	const note = "httpd.service starts php-fpm.service too, without paths of its own such as /etc/php-fpm.conf; " +
		"-u php-fpm.service gives it them"
	for _, options := range [][]string{{"-u", "httpd.service"}, {"-u", "httpd.service", "-u", "php-fpm.service"}} {
		o := run(t, append(append([]string{"create", "--dry-run"}, options...), "t-php")...)
		if told := strings.Contains(o.stderr, note); o.status != 0 || told != (len(options) == 2) {
			t.Errorf("create %q: %+v", options, o)
		}
	}
	if testing.Short() {
		return
	}
	create(t, "t-php", "-C", "-u", "httpd.service", "-u", "php-fpm.service")
	must(t, "start", "t-php")
	if got := inside(t, "t-php", "systemctl is-active httpd php-fpm; cat /var/log/php-fpm/error.log"); got !=
		"active\nactive\nstarted\n" {
		t.Errorf("inside: %q", got)
	}
	must(t, "check", "t-php")
}
