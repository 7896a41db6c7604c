package integration

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const originals = "../../testdata/legacy"

// originalShop puts a container on the host as the original libvirt-sandbox left it: the config of testdata, content, a unit
// that is enabled, and a domain.
func originalShop(t *testing.T, config, unit string) {
	t.Helper()
	const tree = contentDir + "/t-shop"
	shell(t, `mkdir -p `+filepath.Dir(config)+` /srv/stock /srv/scratch `+tree+`/etc/systemd/system/multi-user.target.wants `+tree+`/home `+tree+`/root `+tree+`/usr/lib/systemd/system/multi-user.target.wants `+tree+`/var/lib `+tree+`/var/log/journal/0f1e2d3c4b5a69788796a5b4c3d2e1f0 `+tree+`/var/spool `+tree+`/var/cache `+tree+`/var/tmp
cp `+originals+`/t-shop.sandbox `+config+`
cp -a /etc/apache2 `+tree+`/etc/ && cp -a /var/www `+tree+`/var/ && cp -a /var/log/apache2 `+tree+`/var/log/ && cp -a /var/lib/apache2 `+tree+`/var/lib/
echo '<h1>The old shop</h1>' >`+tree+`/var/www/html/index.html
echo '# by the shopkeeper' >>`+tree+`/etc/apache2/apache2.conf
echo 0f1e2d3c4b5a69788796a5b4c3d2e1f0 >`+tree+`/etc/machine-id; echo t-shop >`+tree+`/etc/hostname; : >`+tree+`/etc/fstab; ln -s /run `+tree+`/var/run
ln -s /usr/lib/systemd/system/apache2.service `+tree+`/etc/systemd/system/multi-user.target.wants/apache2.service
mkdir `+tree+`/etc/systemd/system/apache2.service.d && printf '[Service]\nPrivateTmp=false\nPrivateNetwork=false\n' >`+tree+`/etc/systemd/system/apache2.service.d/virt-sandbox.conf
printf '[Unit]\nDescription=Sandbox multi-user target\n' >`+tree+`/etc/systemd/system/multi-user.target
cat >/etc/systemd/system/`+unit+` <<'X'
[Unit]
Description=Secure Sandbox Container t-shop
Requires=libvirtd.service
After=libvirtd.service
ReloadPropagatedFrom=apache2.service

[Service]
Type=simple
ExecStart=/usr/libexec/virt-sandbox-service-util -c lxc:/// -s t-shop
ExecReload=/usr/bin/virt-sandbox-service -c lxc:/// reload -u apache2.service t-shop
ExecStop=/usr/bin/virsh -c lxc:/// destroy t-shop

[Install]
WantedBy=multi-user.target
X
mkdir -p /etc/systemd/system/multi-user.target.wants && ln -s /etc/systemd/system/`+unit+` /etc/systemd/system/multi-user.target.wants/`)
	define(t, "t-shop", configDir+"/t-shop/config")
}

// define makes a persistent domain, as the original did.
func define(t *testing.T, name, source string) {
	t.Helper()
	xml := filepath.Join(t.TempDir(), "domain.xml")
	text := "<domain type='lxc'><name>" + name + "</name><memory>65536</memory><os><type>exe</type><init>/bin/sleep</init><initarg>1000</initarg></os><devices>" +
		"<filesystem type='mount'><source dir='/'/><target dir='/'/><readonly/></filesystem>" +
		"<filesystem type='mount'><source dir='" + source + "'/><target dir='/mnt'/><readonly/></filesystem><console type='pty'/></devices></domain>"
	if err := os.WriteFile(xml, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	shell(t, "virsh -q -c lxc:/// define "+xml)
}

// forgetOriginal removes what an upgrade keeps of the original, and what a failed one leaves.
func forgetOriginal(t *testing.T, name string) {
	t.Helper()
	run(t, "stop", name)
	run(t, "delete", name)
	shell(t, "virsh -q -c lxc:/// destroy "+name+" 2>/dev/null; rm -rf "+configDir+"/"+name+" "+configDir+"/"+name+".sandbox* "+contentDir+"/"+name+" "+contentDir+"/."+name+".upgrade /etc/systemd/system/*"+name+"*.service* /etc/systemd/system/*.wants/*"+name+"*; virsh -q -c lxc:/// undefine "+name+" 2>/dev/null; true")
}

// A container of the original with systemd, its config in either place, becomes ours and starts.
func TestOriginalSystemd(t *testing.T) {
	for _, place := range []struct{ name, config, unit string }{
		{"up to 0.2", configDir + "/t-shop.sandbox", "apache2@t-shop.service"},
		{"from 0.5", configDir + "/t-shop/config/sandbox.cfg", "t-shop_sandbox.service"},
	} {
		t.Run(place.name, func(t *testing.T) {
			before := snapshot(t)
			t.Cleanup(func() {
				forgetOriginal(t, "t-shop")
				shell(t, "rm -rf /srv/stock /srv/scratch; rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null; true")
				sameAs(t, before, "after delete")
			})
			originalShop(t, place.config, place.unit)
			for _, verb := range []string{"start", "stop", "delete"} {
				if o := run(t, verb, "t-shop"); place.name == "up to 0.2" && (o.status != 1 || !strings.Contains(o.stderr, "run virt-sandbox-service upgrade t-shop")) {
					t.Errorf("%s: %+v", verb, o)
				}
			}
			if systemdRuns() {
				o := runCommand(t, exec.Command("/usr/lib/systemd/system-generators/virt-sandbox-service-generator", "--dry-run"))
				if o.status != 1 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, place.config+":1: it is a config of the original libvirt-sandbox; run virt-sandbox-service upgrade t-shop") {
					t.Errorf("the generator says %+v", o)
				}
			}
			originalRuns(t)
			untouched := shell(t, "cd "+contentDir+"/t-shop && find . | sort; ls -R "+configDir+" /etc/systemd/system")
			dry := must(t, "upgrade", "--dry-run", "t-shop")
			if after := shell(t, "cd "+contentDir+"/t-shop && find . | sort; ls -R "+configDir+" /etc/systemd/system"); after != untouched {
				t.Error("a dry run changes something")
			}
			got := must(t, "upgrade", "t-shop")
			for _, want := range []string{
				"config " + configDir + "/t-shop.sandbox (the original's is " + place.config + ".orig)\n",
				"unit /etc/systemd/system/apache2@t-shop.service (the original's is /etc/systemd/system/" + place.unit + ".orig)\n",
				"domain t-shop is no longer defined in libvirt", "not carried over: " + place.config + ":12: verbose=",
			} {
				if !strings.Contains(got, want) || !strings.Contains(dry, want) {
					t.Errorf("lacks %q:\n%s\nor a dry run does:\n%s", want, got, dry)
				}
			}
			written := shell(t, "cat "+configDir+"/t-shop.sandbox")
			for _, want := range []string{"unit=apache2.service\n", "copy=yes\n", "level=s0:c5,c6\n", "path=package:apache2 /etc/apache2\n", "machine-id=0f1e2d3c4b5a69788796a5b4c3d2e1f0\n", "host-bind=/srv/stock=/usr/share/doc\n"} {
				if !strings.Contains(written, want) {
					t.Errorf("the config lacks %q:\n%s", want, written)
				}
			}
			if kept := shell(t, "cat "+place.config+".orig"); kept != shell(t, "cat "+originals+"/t-shop.sandbox") {
				t.Error("the original's config was not kept")
			}
			if link, err := os.Readlink("/etc/systemd/system/multi-user.target.wants/apache2@t-shop.service"); err != nil || link != "/etc/systemd/system/apache2@t-shop.service" {
				t.Errorf("what was enabled is not any more: %q, %v", link, err)
			}
			if systemdRuns() {
				if got := strings.TrimSpace(systemctl(t, "is-enabled", "apache2@t-shop.service")); got != "enabled" {
					t.Errorf("systemctl says that it is %s", got)
				}
			}
			if list := shell(t, "virsh -q -c lxc:/// list --all --name"); strings.Contains(list, "t-shop") {
				t.Error("the domain is still defined")
			}
			must(t, "start", "t-shop")
			if got := inside(t, "t-shop", "curl -s http://localhost/; hostname; cat /etc/machine-id; tail -n 1 /etc/apache2/apache2.conf; ls -d /srv/stock/apache2; echo $(printenv GREETING -0 </dev/null | cat -v)"); !strings.HasPrefix(got,
				"<h1>The old shop</h1>\nt-shop\n0f1e2d3c4b5a69788796a5b4c3d2e1f0\n# by the shopkeeper\n/srv/stock/apache2\n") {
				t.Errorf("inside: %s", got)
			}
			if got := inside(t, "t-shop", "tr '\\0' '\\n' </proc/1/environ"); !strings.Contains(got, "GREETING= good\tday\n") {
				t.Errorf("environment: %s", got)
			}
			if failed := inside(t, "t-shop", "systemctl --failed --no-legend --plain"); failed != "" {
				t.Errorf("units that failed inside:\n%s", failed)
			}
			must(t, "upgrade", "t-shop")
		})
	}
}

// originalRuns: a container that runs as the original's is left alone.
func originalRuns(t *testing.T) {
	t.Helper()
	shell(t, "mkdir -p "+configDir+"/t-shop/config && virsh -q -c lxc:/// start t-shop")
	if o := run(t, "upgrade", "t-shop"); o.status != 1 || !strings.Contains(o.stderr, "t-shop is running as the original's; stop it first") {
		t.Errorf("upgrade of one that runs: %+v", o)
	}
	shell(t, "virsh -q -c lxc:/// destroy t-shop; rmdir "+configDir+"/t-shop/config "+configDir+"/t-shop 2>/dev/null; true")
}

// A container of the original with a command sees its content at the same path.
func TestOriginalGeneric(t *testing.T) {
	before := snapshot(t)
	t.Cleanup(func() {
		forgetOriginal(t, "t-oldjob")
		sameAs(t, before, "after delete")
	})
	shell(t, "mkdir -p "+contentDir+"/t-oldjob/var "+configDir+"/t-oldjob/config && echo from the old tree >"+contentDir+"/t-oldjob/input && cp "+originals+"/t-oldjob.sandbox "+configDir+"/t-oldjob/config/sandbox.cfg")
	if o := run(t, "upgrade", "--all"); !strings.Contains(o.stdout, "t-oldjob: converted\n") {
		t.Errorf("upgrade --all: %+v", o)
	}
	must(t, "start", "t-oldjob")
	defer func() {
		if t.Failed() {
			t.Logf("its console:\n%s", consoleOf(t, "t-oldjob"))
		}
	}()
	wait(t, "the command's words", func() bool {
		return strings.Contains(consoleOf(t, "t-oldjob"), "from the old tree\nwww-data\n")
	})
}

// What cannot be carried over yet is refused with all its lines, before anything is changed; and so is what is wrong.
func TestOriginalRefusals(t *testing.T) {
	t.Cleanup(func() { forgetOriginal(t, "t-vault"); forgetOriginal(t, "t-shop") })
	shell(t, "cp "+originals+"/t-vault.sandbox "+configDir+"/")
	o := run(t, "upgrade", "t-vault")
	for _, want := range []string{"t-vault.sandbox:7: host-image is not supported yet", "t-vault.sandbox:24: a network of its own", "t-vault.sandbox:43: a disk"} {
		if o.status != 1 || !strings.Contains(o.stderr, want) {
			t.Errorf("lacks %q: %+v", want, o)
		}
	}
	shell(t, "cp "+originals+"/t-shop.sandbox "+configDir+"/")
	if o := run(t, "upgrade", "t-shop"); o.status != 1 || !strings.Contains(o.stderr, "look at the content of t-shop") {
		t.Errorf("without content: %+v", o)
	}
	shell(t, "mkdir -p "+contentDir+"/t-shop/etc")
	if o := run(t, "upgrade", "t-shop"); o.status != 1 || !strings.Contains(o.stderr, "name them with -u") {
		t.Errorf("without a unit file: %+v", o)
	}
	define(t, "t-shop", "/tmp")
	if o := run(t, "upgrade", "-u", "apache2", "t-shop"); o.status != 1 || !strings.Contains(o.stderr, "another domain of the name t-shop") {
		t.Errorf("with a domain of another: %+v", o)
	}
	if got := shell(t, "find "+contentDir+"/t-shop; ls "+configDir); strings.Contains(got, ".virt-sandbox") || strings.Contains(got, ".orig") {
		t.Errorf("a refused upgrade changed something:\n%s", got)
	}
}

// The upgrade of a container of the original can be killed at any moment.
func TestOriginalKilled(t *testing.T) {
	for range killings {
		shell(t, "rm -rf /srv/stock /srv/scratch")
		originalShop(t, configDir+"/t-shop/config/sandbox.cfg", "t-shop_sandbox.service")
		command := exec.Command(program, "upgrade", "t-shop")
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		moment := time.Duration(rand.Int64N(int64(250 * time.Millisecond)))
		time.Sleep(moment)
		_ = command.Process.Kill()
		_ = command.Wait()
		if got := shell(t, "cat "+contentDir+"/t-shop/var/www/html/index.html; tail -n 1 "+contentDir+"/t-shop/etc/apache2/apache2.conf"); got != "<h1>The old shop</h1>\n# by the shopkeeper\n" {
			t.Errorf("killed after %v: the content is %q", moment, got)
		}
		must(t, "upgrade", "t-shop")
		must(t, "upgrade", "t-shop")
		list := strings.Fields(shell(t, "cd /etc/systemd/system && ls -d *t-shop* *.wants/*t-shop*; cd "+configDir+" && find t-shop* -type f; virsh -q -c lxc:/// list --all --name"))
		want := []string{
			"apache2@t-shop.service", "multi-user.target.wants/apache2@t-shop.service", "t-shop.sandbox",
			"t-shop/config/sandbox.cfg.orig", "t-shop_sandbox.service.orig",
		}
		if slices.Sort(list); !slices.Equal(list, want) {
			t.Errorf("killed after %v: there are %q, want %q", moment, list, want)
		}
		forgetOriginal(t, "t-shop")
		if t.Failed() {
			return
		}
	}
	shell(t, "rm -rf /srv/stock /srv/scratch; rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null; true")
}
