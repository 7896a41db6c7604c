// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

const legacyConfigs = "../../testdata/legacy"

// legacyShop puts a container on the host as the legacy tool left it: the config of testdata, content, a unit
// that is enabled, and a domain.
func legacyShop(t *testing.T, config, unit string) {
	t.Helper()
	const tree = contentDir + "/t-shop"
	legacyContent(t, tree, "t-shop", "0f1e2d3c4b5a69788796a5b4c3d2e1f0")
	shell(t, `mkdir -p `+filepath.Dir(config)+` /srv/stock /srv/scratch && cp `+legacyConfigs+`/t-shop.sandbox `+config+`
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
mkdir -p /etc/systemd/system/multi-user.target.wants && ln -sf /etc/systemd/system/`+unit+
		` /etc/systemd/system/multi-user.target.wants/`)
	define(t, "t-shop", configDir+"/t-shop/config")
}

// legacyContent fills a directory as the legacy tool did for Apache.
func legacyContent(t *testing.T, tree, name, machineID string) {
	t.Helper()
	shell(t, `mkdir -p `+tree+` && cd `+tree+
		` && mkdir -p etc/systemd/system/multi-user.target.wants etc/systemd/system/apache2.service.d home root \
usr/lib/systemd/system/multi-user.target.wants var/lib var/log/journal/`+machineID+` var/spool var/cache var/tmp
cp -a /etc/apache2 etc/ && cp -a /var/www var/ && cp -a /var/log/apache2 var/log/ && cp -a /var/lib/apache2 var/lib/
echo '<h1>The old shop</h1>' >var/www/html/index.html
echo '# by the shopkeeper' >>etc/apache2/apache2.conf
echo `+machineID+` >etc/machine-id; echo `+name+` >etc/hostname; : >etc/fstab; ln -s /run var/run
ln -s /usr/lib/systemd/system/apache2.service etc/systemd/system/multi-user.target.wants/apache2.service
printf '[Service]\nPrivateTmp=false\nPrivateNetwork=false\n' >etc/systemd/system/apache2.service.d/virt-sandbox.conf
printf '[Unit]\nDescription=Sandbox multi-user target\n' >etc/systemd/system/multi-user.target`)
}

// define makes a persistent domain, as the legacy tool did.
func define(t *testing.T, name, source string) {
	t.Helper()
	xml := filepath.Join(t.TempDir(), "domain.xml")
	text := "<domain type='lxc'><name>" + name +
		"</name><memory>65536</memory><os><type>exe</type><init>/bin/sleep</init><initarg>1000</initarg></os><devices>" +
		"<filesystem type='mount'><source dir='/'/><target dir='/'/><readonly/></filesystem>" +
		"<filesystem type='mount'><source dir='" + source + "'/><target dir='/mnt'/><readonly/></filesystem><console " +
		"type='pty'/></devices></domain>"
	if err := os.WriteFile(xml, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	shell(t, "virsh -q -c lxc:/// define "+xml)
}

// forgetLegacy removes what an upgrade keeps of legacy files, and what a failed one leaves.
func forgetLegacy(t *testing.T, name string) {
	t.Helper()
	run(t, "stop", name)
	run(t, "delete", name)
	shell(t, "virsh -q -c lxc:/// destroy "+name+" 2>/dev/null; rm -rf "+stateDir+"/"+name+" "+configDir+"/"+name+" "+
		configDir+"/"+name+
		".sandbox* "+contentDir+"/"+name+" "+contentDir+"/."+name+".upgrade /etc/systemd/system/*"+name+
		"*.service* /etc/systemd/system/*.wants/*"+name+"*; virsh -q -c lxc:/// undefine "+name+" 2>/dev/null; true")
}

// A legacy container with systemd, its config in either place, becomes ours and starts.
func TestLegacySystemd(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	for _, place := range []struct{ name, config, unit string }{
		{"up to 0.2", configDir + "/t-shop.sandbox", "apache2@t-shop.service"},
		{"from 0.5", configDir + "/t-shop/config/sandbox.cfg", "t-shop_sandbox.service"},
	} {
		t.Run(place.name, func(t *testing.T) {
			before := snapshot(t)
			t.Cleanup(func() {
				forgetLegacy(t, "t-shop")
				shell(t, "rm -rf /srv/stock /srv/scratch; rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null; true")
				sameAs(t, before, "after delete")
			})
			legacyShop(t, place.config, place.unit)
			for _, verb := range []string{"start", "stop", "delete"} {
				if o := run(t, verb, "t-shop"); place.name == "up to 0.2" &&
					(o.status != 1 || !strings.Contains(o.stderr, "run virt-sandbox-service upgrade t-shop")) {
					t.Errorf("%s: %+v", verb, o)
				}
			}
			if systemdRuns() {
				o := runCommand(t, exec.Command("/usr/lib/systemd/system-generators/virt-sandbox-service-generator", "--dry-run"))
				if o.status != 1 || strings.Count(o.stderr, "\n") != 1 ||
					!strings.Contains(o.stderr, place.config+":1: it is a config of the original libvirt-sandbox; run "+
						"virt-sandbox-service upgrade t-shop") {
					t.Errorf("the generator says %+v", o)
				}
			}
			legacyRuns(t)
			untouched := shell(t, "cd "+contentDir+"/t-shop && find . | sort; ls -R "+configDir+" /etc/systemd/system")
			dry := must(t, "upgrade", "--dry-run", "t-shop")
			if after := shell(t, "cd "+contentDir+"/t-shop && find . | sort; ls -R "+configDir+
				" /etc/systemd/system"); after != untouched {
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
			written := described(t, "t-shop")
			for _, want := range []string{"unit=apache2.service\n", "copy=yes\n", "level=s0:c5,c6\n",
				"path=package:apache2 /etc/apache2\n", "machine-id=0f1e2d3c4b5a69788796a5b4c3d2e1f0\n",
				"host-bind=/srv/stock=/usr/share/doc\n"} {
				if !strings.Contains(written, want) {
					t.Errorf("the config lacks %q:\n%s", want, written)
				}
			}
			if kept := shell(t, "cat "+place.config+".orig"); kept != shell(t, "cat "+legacyConfigs+"/t-shop.sandbox") {
				t.Error("the legacy config was not kept")
			}
			if link, err := os.Readlink("/etc/systemd/system/multi-user.target.wants/apache2@t-shop.service"); err != nil ||
				link != "/etc/systemd/system/apache2@t-shop.service" {
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
			if got := inside(t, "t-shop", "curl -s http://localhost/; hostname; cat /etc/machine-id; tail -n 1 "+
				"/etc/apache2/apache2.conf; ls -d /srv/stock/apache2; echo $(printenv GREETING -0 "+
				"</dev/null | cat -v)"); !strings.HasPrefix(got,
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
			must(t, "stop", "t-shop")
			must(t, "delete", "t-shop")
			if left := shell(t, "find "+configDir+" /etc/systemd/system -name '*t-shop*'"); left != "" {
				t.Errorf("delete leaves %s", left)
			}
		})
	}
}

// legacyRuns: a legacy container that runs is left alone.
func legacyRuns(t *testing.T) {
	t.Helper()
	shell(t, "mkdir -p "+configDir+"/t-shop/config && virsh -q -c lxc:/// start t-shop")
	if o := run(t, "upgrade", "t-shop"); o.status != 1 || !strings.Contains(o.stderr,
		"t-shop is running as the original's; stop it first") {
		t.Errorf("upgrade of one that runs: %+v", o)
	}
	shell(t, "virsh -q -c lxc:/// destroy t-shop; rmdir "+configDir+"/t-shop/config "+configDir+
		"/t-shop 2>/dev/null; true")
}

// A legacy container with a command sees its content at the same path.
func TestLegacyGeneric(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	before := snapshot(t)
	t.Cleanup(func() {
		forgetLegacy(t, "t-oldjob")
		sameAs(t, before, "after delete")
	})
	shell(t, "mkdir -p "+contentDir+"/t-oldjob/var "+configDir+"/t-oldjob/config && echo from the old tree >"+contentDir+
		"/t-oldjob/input && cp "+legacyConfigs+"/t-oldjob.sandbox "+configDir+"/t-oldjob/config/sandbox.cfg")
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
		// Where systemd runs, what it says of the unit can stand between.
		words := consoleOf(t, "t-oldjob")
		return strings.Contains(words, "from the old tree\n") && strings.Contains(words, "\nwww-data\n")
	})
}

// A legacy container whose content is in an image, with a network and a disk of its own, becomes ours and starts.
func TestLegacyImage(t *testing.T) {
	rig.On(t, rig.Native)
	makeNetwork(t, "off")
	defineFilter(t, "t-filter", "<rule action='accept' direction='inout'><all/></rule>")
	before := snapshot(t)
	const tree, file, ledger = contentDir + "/t-vault", imageDir + "/t-vault.raw", imageDir + "/t-ledger.raw"
	t.Cleanup(func() {
		forgetLegacy(t, "t-vault")
		shell(t, "rm -f "+file+" "+ledger)
		sameAs(t, before, "after delete")
	})
	shell(t, `mkdir -p `+imageDir+` `+configDir+`/t-vault/config && truncate -s 100M `+file+` && truncate -s 1M `+ledger+
		` && echo what is owed | dd conv=notrunc status=none of=`+ledger+`
sed -e 's/dovecot/apache2/; s/=192\.168\.122\./=192.168.221./; s/source=default/source=t-net/' \
	-e 's/clean-traffic/t-filter/; s,=/srv/ledger.qcow2,=`+ledger+`,; s/=qcow2/=raw/' \
	`+legacyConfigs+`/t-vault.sandbox >`+configDir+`/t-vault/config/sandbox.cfg
cat >>`+configDir+`/t-vault/config/sandbox.cfg <<'X'
[mount.9]
type=GVirSandboxConfigMountGuestBind
target=/srv/page
source=`+tree+`/var/www/html
X`)
	inLegacyImage(t, file, func(mnt string) { legacyContent(t, mnt, "t-vault", "11111111222233334444555555555555") })
	down := attached(t)
	digest := shell(t, "sha256sum "+file)
	dry := must(t, "upgrade", "--dry-run", "-u", "apache2", "t-vault")
	if after := shell(t, "sha256sum "+file); after != digest {
		t.Error("a dry run changes the image")
	}
	got := must(t, "upgrade", "-u", "apache2", "t-vault")
	if want := "config " + configDir + "/t-vault.sandbox (the original's is "; !strings.Contains(got, want) ||
		!strings.Contains(dry, want) {
		t.Errorf("lacks %q:\n%s\nor a dry run does:\n%s", want, got, dry)
	}
	if now := attached(t); now != down {
		t.Errorf("after the upgrade: %s", now)
	}
	written := described(t, "t-vault")
	for _, want := range []string{
		"mode=dynamic\n", "copy=yes\n", "image=" + file + "\nimage-format=raw\n", "disk=ledger=" + ledger + ",format=raw\n",
		"guest-bind=/srv/page=/var/www/html\n",
		"interface=source=t-net,mac=52:54:00:12:34:56,address=192.168.221.7/24%192.168.221.255," +
			"route=10.0.0.0/8%192.168.221.1,filter=t-filter,filter.IP=192.168.221.7\n",
	} {
		if !strings.Contains(written, want) {
			t.Errorf("the config lacks %q:\n%s", want, written)
		}
	}
	must(t, "start", "t-vault")
	if page := shell(t, "curl -s --max-time 5 http://192.168.221.7/"); page != "<h1>The old shop</h1>\n" {
		t.Errorf("its page is %q", page)
	}
	for _, question := range []struct{ script, want string }{
		{"hostname; cat /etc/machine-id; tail -n 1 /etc/apache2/apache2.conf",
			"t-vault\n11111111222233334444555555555555\n# by the shopkeeper\n"},
		{"head -n 1 /dev/disk/by-tag/ledger; cat /srv/page/index.html", "what is owed\n<h1>The old shop</h1>\n"},
		{"cat /sys/class/net/eth0/address; ip route show 10.0.0.0/8 | cut -d' ' -f 1-3",
			"52:54:00:12:34:56\n10.0.0.0/8 via 192.168.221.1\n"},
		{"systemctl --failed --no-legend --plain", ""},
	} {
		if got := inside(t, "t-vault", question.script); got != question.want {
			t.Errorf("%s: %q, want %q", question.script, got, question.want)
		}
	}
	must(t, "upgrade", "t-vault")
	must(t, "stop", "t-vault")
	if now := attached(t); now != down {
		t.Errorf("after the stop: %s", now)
	}
	must(t, "delete", "t-vault")
	if _, err := os.Stat(file); err == nil {
		t.Error("its image outlives it")
	}
}

// inLegacyImage makes a file system in a file, as the legacy tool did, and has it filled.
func inLegacyImage(t *testing.T, file string, fill func(mnt string)) {
	t.Helper()
	makeExt4(t, file)
	whileMounted(t, file, fill)
}

func whileMounted(t *testing.T, file string, act func(mnt string)) {
	t.Helper()
	mnt := t.TempDir()
	shell(t, "mount -o loop "+file+" "+mnt)
	defer shell(t, "umount "+mnt)
	act(mnt)
}

// The content of a command in an image moves within the image, and the upgrade that does it can be killed at any
// moment.
func TestLegacyGenericImage(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	const tree, file = contentDir + "/t-oldjob", imageDir + "/t-oldjob.raw"
	t.Cleanup(func() {
		forgetLegacy(t, "t-oldjob")
		shell(t, "rm -f "+file)
		sameAs(t, before, "after delete")
	})
	numbers := random(t)
	for n := range otherKillings {
		shell(t, "mkdir -p "+imageDir+" "+tree+" "+configDir+" && truncate -s 20M "+file+
			" && sed 's/MountHostBind/MountGuestBind/' "+legacyConfigs+"/t-oldjob.sandbox >"+configDir+"/t-oldjob.sandbox && "+
			"printf '[mount.1]\ntype=GVirSandboxConfigMountHostImage\ntarget="+tree+"\nsource="+file+"\nformat=raw\n' >>"+
			configDir+"/t-oldjob.sandbox")
		inLegacyImage(t, file, func(mnt string) {
			shell(t, "cd "+mnt+" && mkdir -p var/lib && echo from the old tree >input && echo x >var/lib/own && for i in $(seq "+
				"200); do mkdir $i; done")
		})
		down := attached(t)
		moment := killWithin(t, numbers, 300*time.Millisecond, nil, "upgrade", "t-oldjob")
		must(t, "upgrade", "t-oldjob")
		if now := attached(t); now != down {
			t.Errorf("killed after %v, and upgraded: %s", moment, now)
		}
		if n == 0 {
			must(t, "start", "t-oldjob")
			wait(t, "the command's words", func() bool {
				// Where systemd runs, what it says of the unit can stand between.
				words := consoleOf(t, "t-oldjob")
				return strings.Contains(words, "from the old tree\n") && strings.Contains(words, "\nwww-data\n")
			})
			must(t, "stop", "t-oldjob")
		}
		whileMounted(t, file, func(mnt string) {
			got := shell(t, "cd "+mnt+" && ls -A && cd ."+contentDir+" && ls | wc -l && cat input var/lib/own")
			if want := "\nvar\n202\nfrom the old tree\nx\n"; n > 0 &&
				(!strings.HasSuffix(got, want) || strings.HasPrefix(got, "1") || strings.Contains(got, "\ninput\n")) {
				t.Errorf("killed after %v, and upgraded, the image has %q, want %q at the end and nothing of the tree before",
					moment, got, want)
			}
		})
		forgetLegacy(t, "t-oldjob")
		if t.Failed() {
			return
		}
	}
}

// What cannot be carried over is refused before anything is changed.
func TestLegacyRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	t.Cleanup(func() { forgetLegacy(t, "t-vault"); forgetLegacy(t, "t-shop") })
	shell(t, "cp "+legacyConfigs+"/t-vault.sandbox "+configDir+"/")
	if o := run(t, "upgrade", "-u", "apache2", "t-vault"); o.status != 1 ||
		!strings.Contains(o.stderr, "look at the content of t-vault: stat "+imageDir+"/t-vault.raw") {
		t.Errorf("without its image: %+v", o)
	}
	shell(t, "sed -i s/qcow2$/vmdk/ "+configDir+"/t-vault.sandbox")
	if o := run(t, "upgrade", "t-vault"); o.status != 1 || !strings.Contains(o.stderr,
		`t-vault.sandbox:43: "vmdk" is not an image format`) {
		t.Errorf("with a disk of another format: %+v", o)
	}
	shell(t, "mkdir -p "+imageDir+" && truncate -s 1M "+imageDir+
		"/t-vault.raw; sed -i 's/vmdk$/qcow2/; s/source=default/source=t-no-such/' "+configDir+"/t-vault.sandbox")
	t.Cleanup(func() { shell(t, "rm -f "+imageDir+"/t-vault.raw") })
	if o := run(t, "upgrade", "-u", "apache2", "t-vault"); o.status != 1 ||
		!strings.Contains(o.stderr, "libvirt has no network") {
		t.Errorf("without its network: %+v", o)
	}
	shell(t, "sed -i '/^.network/,/^.disk/{/^.disk/!d}' "+configDir+"/t-vault.sandbox")
	if o := run(t, "upgrade", "-u", "apache2", "t-vault"); o.status != 1 ||
		!strings.Contains(o.stderr, "no ext4, XFS or Btrfs file system") {
		t.Errorf("without a file system in the image: %+v", o)
	}
	shell(t, "cp "+legacyConfigs+"/t-shop.sandbox "+configDir+"/")
	if o := run(t, "upgrade", "t-shop"); o.status != 1 || !strings.Contains(o.stderr, "look at the content of t-shop") {
		t.Errorf("without content: %+v", o)
	}
	shell(t, "mkdir -p "+contentDir+"/t-shop/etc")
	if o := run(t, "upgrade", "t-shop"); o.status != 1 || !strings.Contains(o.stderr, "name them with -u") {
		t.Errorf("without a unit file: %+v", o)
	}
	define(t, "t-shop", "/tmp")
	if o := run(t, "upgrade", "-u", "apache2", "t-shop"); o.status != 1 ||
		!strings.Contains(o.stderr, "another domain of the name t-shop") {
		t.Errorf("with a domain of another: %+v", o)
	}
	if got := shell(t, "find "+contentDir+"/t-shop; ls "+configDir); strings.Contains(got, ".virt-sandbox") ||
		strings.Contains(got, ".orig") {
		t.Errorf("a refused upgrade changed something:\n%s", got)
	}
}

// The upgrade of a legacy container can be killed at any moment.
func TestLegacyKilled(t *testing.T) {
	rig.On(t, rig.Native)
	numbers := random(t)
	for range killings {
		shell(t, "rm -rf /srv/stock /srv/scratch")
		legacyShop(t, configDir+"/t-shop/config/sandbox.cfg", "t-shop_sandbox.service")
		moment := killWithin(t, numbers, 250*time.Millisecond, nil, "upgrade", "t-shop")
		if got := shell(t, "cat "+contentDir+"/t-shop/var/www/html/index.html; tail -n 1 "+contentDir+
			"/t-shop/etc/apache2/apache2.conf"); got != "<h1>The old shop</h1>\n# by the shopkeeper\n" {
			t.Errorf("killed after %v: the content is %q", moment, got)
		}
		must(t, "upgrade", "t-shop")
		must(t, "upgrade", "t-shop")
		list := strings.Fields(shell(t, "cd /etc/systemd/system && ls -d *t-shop* *.wants/*t-shop*; cd "+configDir+
			" && find t-shop* -type f; virsh -q -c lxc:/// list --all --name"))
		want := []string{
			"apache2@t-shop.service", "multi-user.target.wants/apache2@t-shop.service", "t-shop.sandbox",
			"t-shop/config/sandbox.cfg.orig", "t-shop_sandbox.service.orig",
		}
		if slices.Sort(list); !slices.Equal(list, want) {
			t.Errorf("killed after %v: there are %q, want %q", moment, list, want)
		}
		forgetLegacy(t, "t-shop")
		if t.Failed() {
			return
		}
	}
	shell(t, "rm -rf /srv/stock /srv/scratch; rmdir /etc/systemd/system/multi-user.target.wants 2>/dev/null; true")
}
