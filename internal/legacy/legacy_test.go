// SPDX-License-Identifier: Apache-2.0

package legacy

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

var update = flag.Bool("update", false, "write the golden files anew")

const examples = "../../testdata/legacy"

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExamples: what becomes of whole configs, with the notes as comments above it.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob(examples + "/*.sandbox")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			text := read(t, file)
			if !IsConfig(text) {
				t.Error("it is not taken for a legacy one")
			}
			c, err := Parse(name, text)
			if err != nil {
				t.Fatal(err)
			}
			imported, err := c.Sandbox()
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, note := range imported.Notes {
				out.WriteString("# note: " + note + "\n")
			}
			if imported.Tree != "" {
				out.WriteString("# tree: " + imported.Tree + "\n")
			}
			out.WriteString(imported.Sandbox.Text())
			golden := strings.TrimSuffix(file, ".sandbox") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, golden); out.String() != want {
				t.Errorf("gives\n%s\nwant\n%s", out.String(), want)
			}
		})
	}
}

// TestParseReadsEverything that the reference lists.
func TestParseReadsEverything(t *testing.T) {
	c, err := Parse("x", read(t, examples+"/t-vault.sandbox"))
	if err != nil {
		t.Fatal(err)
	}
	networks := []Network{{
		Source: "default", MAC: "52:54:00:12:34:56", Filter: "clean-traffic", Line: 24,
		Addresses:  []Address{{IP: "192.168.122.7", Broadcast: "192.168.122.255", Prefix: 24, Line: 30}},
		Routes:     []Route{{Target: "10.0.0.0", Gateway: "192.168.122.1", Prefix: 8, Line: 34}},
		Parameters: []Parameter{{"IP", "192.168.122.7", 40}},
	}}
	if !reflect.DeepEqual(c.Networks, networks) {
		t.Errorf("networks %+v, want %+v", c.Networks, networks)
	}
	disks := []Disk{{Type: "file", Tag: "ledger", Source: "/srv/ledger.qcow2", Format: "qcow2", Line: c.Disks[0].Line}}
	if !reflect.DeepEqual(c.Disks, disks) {
		t.Errorf("disks %+v, want %+v", c.Disks, disks)
	}
	if m := c.Mounts[0]; m.Kind != HostImage || m.Format != "raw" || m.Source != "/var/lib/libvirt/images/t-vault.raw" {
		t.Errorf("image %+v", m)
	}
}

const (
	minimal = "[api]\nclass=GVirSandboxConfigServiceSystemd\n[core]\nname=x\n[service]\nbootTarget=multi-user.target\n"
	generic = "[api]\nclass=GVirSandboxConfigServiceGeneric\n[core]\nname=x\n[command]\nargv.0=true\n"
)

const contentOfX = config.DefaultContentBase + "/x"

func image(target, source, format string) string {
	return "[mount.0]\ntype=GVirSandboxConfigMountHostImage\ntarget=" + target + "\nsource=" + source +
		"\nformat=" + format + "\n"
}

func address(ip, prefix string) string {
	return "[network.0]\ndhcp=false\n[network.0.address.0]\nprimary=" + ip + "\nprefix=" + prefix + "\n"
}

// TestRefusals are the mistakes, each with its line.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no group", "a=b\n", `x:1: "a=b" stands before the first [group]`},
		{"no class", "[api]\n", "x:1: [api] lacks class="},
		{"another class", "[api]\nclass=Other\n", "x:2: class=Other is not a class of libvirt-sandbox"},
		{"twice", minimal + "bootTarget=a.target\n", "x:7: bootTarget= is given twice, first in line 6"},
		{"bad group", minimal + "[a\n", `x:7: "[a" is not a [group]`},
		{"a locale", minimal + "name[de]=y\n", `x:7: "name[de]=y" is neither [group], KEY=VALUE nor a # comment`},
		{
			"control characters", minimal + "[core]\nshell=\x01\n",
			"x:8: the line is not UTF-8 text without control characters",
		},
		{"bad escape", minimal + "[env.0]\nkey=A\nvalue=\\x41\n", `x:9: value=: \x is not an escape`},
		{"ends in a backslash", minimal + "[env.0]\nkey=A\nvalue=a\\\n", "x:9: value=: the value ends in a backslash"},
		{"no boolean", minimal + "[core]\nshell=yes\n", "x:8: shell=yes is not true or false"},
		{"no number", minimal + "[identity]\nuid=-1\n", "x:8: uid=-1 is not a number that it can be"},
		{
			"mount without target", minimal + "[mount.0]\ntype=GVirSandboxConfigMountRam\nusage=1\n",
			"x:7: [mount.0] lacks target=",
		},
		{
			"unknown mount", minimal + "[mount.0]\ntype=GVirSandboxConfigMountTape\ntarget=/a\n",
			"x:8: type=GVirSandboxConfigMountTape is not a kind of mount",
		},
		{
			"image without format", minimal + "[mount.0]\ntype=GVirSandboxConfigMountHostImage\ntarget=/a\nsource=/b\n",
			"x:7: [mount.0] lacks format=",
		},
		{
			"interactive", "[api]\nclass=GVirSandboxConfigInteractive\n[command]\nargv.0=sh\n",
			"x:2: it is of the one-shot tool, which keeps no containers",
		},
		{
			"another root", minimal + "[core]\nroot=/srv/root\n",
			"x:8: root=/srv/root: the root of our containers is the host's; make another container",
		},
		{"bad name", strings.Replace(minimal, "name=x", "name=../x", 1), `x:4: name "../x" must match`},
		{"bad uuid", minimal + "[core]\nuuid=1\n", "x:8: uuid=1 is not a UUID"},
		{
			"bad boot target", strings.Replace(minimal, "multi-user.target", "a/b.target", 1),
			`x:6: "a/b.target" is not a unit name`,
		},
		{"bad label", minimal + "[security]\ndynamic=false\nlabel=a:b:c:d\n", `x:9: level "d"`},
		{
			"bad profile", minimal + "[security]\ndynamic=false\nlabel=a b\n",
			`x:9: "a b" is not the name of an AppArmor profile`,
		},
		{"bad user", generic + "[identity]\nusername=a b\n", `x:8: "a b" is not a user name`},
		{
			"mount over /usr", minimal + "[mount.0]\ntype=GVirSandboxConfigMountHostBind\ntarget=/usr\nsource=/srv\n",
			`x:7: mount target "/usr" would replace`,
		},
		{
			"mount with =", minimal + "[mount.0]\ntype=GVirSandboxConfigMountHostBind\ntarget=/a=/b\nsource=/srv\n",
			`x:7: "/a=/b" has a = in it`,
		},
		{
			"ram with =", minimal + "[mount.0]\ntype=GVirSandboxConfigMountRam\ntarget=/a=1\nusage=2\n",
			`x:7: "/a=1=2" is not TARGET=SIZE`,
		},
		{
			"private top", minimal + "[mount.0]\ntype=GVirSandboxConfigMountHostBind\ntarget=/var\nsource=/t/x/var\n" +
				"[mount.1]\ntype=GVirSandboxConfigMountHostBind\ntarget=/opt\nsource=/t/x/opt\n",
			"x:11: /opt cannot be private",
		},
		{
			"content below /etc", minimal +
				"[mount.0]\ntype=GVirSandboxConfigMountHostBind\ntarget=/var\nsource=/etc/x/var\n",
			`x:7: content "/etc/x"`,
		},
		{"bad variable", minimal + "[env.0]\nkey=a b\nvalue=\n",
			`x:7: "a b" is not the name of an environment variable`},
		{
			"image in another format", minimal + image("/srv/data", "/srv/a.vmdk", "vmdk"),
			`x:7: "vmdk" is not an image format`,
		},
		{
			"image with a relative path", minimal + image("/srv/data", "a.raw", "raw"),
			`x:7: "/srv/data=a.raw,format=raw" is not TARGET=FILE`,
		},
		{
			"two images of the content", minimal + image(contentOfX, "/srv/a", "raw") +
				strings.Replace(image(contentOfX, "/srv/b", "raw"), "mount.0", "mount.1", 1),
			"x:12: image /srv/b has the place of /srv/a",
		},
		{"image in itself", minimal + image(contentOfX, contentOfX+"/a", "raw"), "x: image \"" + contentOfX +
			"/a\" lies in the content directory"},
		{
			"guest-bind of itself", minimal +
				"[mount.0]\ntype=GVirSandboxConfigMountGuestBind\ntarget=/srv/a/b\nsource=/srv/a\n",
			`x:7: "/srv/a/b=/srv/a" shows a directory within itself`,
		},
		{
			"two mounts at a place", minimal + image("/srv/a", "/srv/b", "raw") +
				"[mount.1]\ntype=GVirSandboxConfigMountRam\ntarget=/srv/a\nusage=1\n",
			`x: two mounts have the target "/srv/a"`,
		},
		{
			"disk of another type", minimal + "[disk.0]\ntype=block\ntag=a\nsource=/dev/vdb\nformat=raw\n",
			"x:7: type=block of disk a is not file",
		},
		{
			"disk in another format", minimal + "[disk.0]\ntype=file\ntag=a\nsource=/srv/a\nformat=qed\n",
			`x:7: "qed" is not an image format`,
		},
		{
			"tag with a path", minimal + "[disk.0]\ntype=file\ntag=../a\nsource=/srv/a\nformat=raw\n",
			`x:7: tag "../a" must match`,
		},
		{
			"tag with a type", minimal + "[disk.0]\ntype=file\ntag=file:a\nsource=/srv/a\nformat=raw\n",
			`x:7: tag "file:a" has a = or :`,
		},
		{
			"one file twice", minimal + image("/srv/a", "/srv/b", "raw") +
				"[disk.0]\ntype=file\ntag=a\nsource=/srv/b\nformat=raw\n",
			"x: /srv/b is named twice, for the mount at /srv/a and for disk a",
		},
		{
			"network with more in its name", minimal + "[network.0]\nsource=a,bridge=br0\n",
			`x:7: "a,bridge=br0" is not the name of a libvirt network`,
		},
		{"bad MAC", minimal + "[network.0]\nmac=1\n", `x:7: "1" is not the MAC address`},
		{
			"one MAC twice", minimal + "[network.0]\nmac=52:54:00:00:00:01\n[network.1]\nmac=52:54:00:00:00:01\n",
			"x:9: two interfaces have the MAC address 52:54:00:00:00:01",
		},
		{"bad address", minimal + address("10.0.0.300", "24"), `x:9: "10.0.0.300/24" is not IP`},
		{
			"address without prefix", minimal + "[network.0]\n[network.0.address.0]\nprimary=10.0.0.1\n",
			"x:8: [network.0.address.0] lacks prefix=",
		},
		{
			"broadcast elsewhere", minimal + address("10.0.0.3", "24") + "broadcast=10.1.0.255\n",
			`x:9: broadcast address "10.1.0.255" is not`,
		},
		{
			"gateway elsewhere", minimal + address("10.0.0.3", "24") +
				"[network.0.route.0]\ntarget=0.0.0.0\nprefix=0\ngateway=10.1.0.1\n",
			"x:12: gateway 10.1.0.1 is in the network of no address",
		},
		{
			"bad filter", minimal + "[network.0]\n[network.0.filterref]\nfilter=a/b\n",
			`x:7: "a/b" is not the name of a libvirt network filter`,
		},
		{
			"bad parameter", minimal + "[network.0]\n[network.0.filterref]\nfilter=a\n" +
				"[network.0.filterref.0]\nname=IP\nvalue=<x>\n",
			`x:10: "filter.IP=<x>" is not filter.PARAMETER=VALUE`,
		},
		{
			"parameter of no filter", minimal + "[network.0]\n[network.0.filterref.0]\nname=IP\nvalue=10.0.0.1\n",
			"x:7: parameters of a filter need filter=NAME",
		},
		{"no command", "[api]\nclass=GVirSandboxConfigServiceGeneric\n[core]\nname=x\n", "x: [command] lacks argv.0="},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("x", test.text)
			if err == nil {
				_, err = c.Sandbox()
			}
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// TestNotes: nothing is left out in silence.
func TestNotes(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown key", minimal + "[core]\ncolour=blue\n", "x:8: [core] colour= is not known"},
		{"unknown group", minimal + "[colour]\nof=blue\n", "x:8: [colour] of= is not known"},
		{"beyond the count", minimal + "[mount.1024]\ntarget=/a\n", "x:8: [mount.1024] target= is not known"},
		{"behind a gap", generic + "argv.2=lost\n", "x:7: [command] argv.2= is not known"},
		{
			"kernel", minimal + "[core]\nkernpath=/boot/x\n",
			"x:8: kernpath= is for virtual machines; containers have the host's kernel",
		},
		{"machine", minimal + "[core]\narch=s390x\n", "x:8: arch=s390x is not this host's, which containers have"},
		{"shell", minimal + "[core]\nshell=true\n", "x:8: shell= has no counterpart; see execute and journalctl"},
		{"systemd as a user", minimal + "[identity]\nuid=5\n",
			"x:8: uid= other than 0 is nothing that systemd could run as"},
		{
			"dynamic label", minimal + "[security]\nlabel=system_u:system_r:container_t:s0\n",
			"x:8: the level of a dynamic label was chosen anew at each start; it gets one of its own for good",
		},
		{
			"level of all", minimal + "[security]\ndynamic=false\nlabel=system_u:system_r:container_t:s0\n",
			"x:9: level s0 is kept, which keeps it apart from no other container; " +
				"for one of its own set level= and run check --fix",
		},
		{
			"address beside DHCP", minimal + "[network.0]\n[network.0.address.0]\nprimary=10.0.0.1\nprefix=24\n",
			"x:8: the original did not set address 10.0.0.1 either, for dhcp is on",
		},
		{
			"route beside DHCP", minimal +
				"[network.0]\n[network.0.route.0]\ntarget=10.0.0.0\nprefix=24\ngateway=10.0.0.1\n",
			"x:8: the original did not set the route to 10.0.0.0 either, for dhcp is on",
		},
		{
			"include", minimal + "[mount.0]\ntype=GVirSandboxConfigMountHostBind\ntarget=/srv/a\nsource=/b\n" +
				"[mount.0.include.0]\nsrc=/c\ndst=/d\n",
			"x:11: the original copied no includes either; copy /c to /d yourself",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("x", test.text)
			if err != nil {
				t.Fatal(err)
			}
			imported, err := c.Sandbox()
			if err != nil {
				t.Fatal(err)
			}
			if len(imported.Notes) != 1 || imported.Notes[0] != test.want {
				t.Errorf("notes %q, want %q", imported.Notes, test.want)
			}
		})
	}
}

// TestMounts: legacy mounts and what they become.
func TestMounts(t *testing.T) {
	mounts := func(all ...string) string {
		text := ""
		for i, m := range all {
			kind, paths, _ := strings.Cut(m, ":")
			target, source, _ := strings.Cut(paths, "=")
			text += "[mount." + strconv.Itoa(i) + "]\ntype=GVirSandboxConfigMount" + kind + "\ntarget=" + target +
				"\nsource=" + source + "\n"
			if kind == string(HostImage) {
				text += "format=qcow2\n"
			}
		}
		return text
	}
	ofContent := "HostBind:/var=" + contentOfX + "/var"
	for _, test := range []struct{ name, text, want string }{
		{"image", minimal + mounts("HostImage:/srv/data=/srv/a,b.raw"),
			"host-image=/srv/data=/srv/a,b.raw,format=qcow2"},
		{
			"elsewhere, behind others", minimal + mounts("HostImage:/srv/trees/x=/srv/x.raw",
				"GuestBind:/home=/srv/trees/x/home", "GuestBind:/var=/srv/trees/x/var"),
			"image=/srv/x.raw image-format=qcow2",
		},
		{"guest-bind", minimal + mounts("GuestBind:/srv/a=/var/b"), "guest-bind=/srv/a=/var/b"},
		{"guest-bind of the host's", minimal + mounts("GuestBind:/srv/a=/usr/share"), "guest-bind=/srv/a=/usr/share"},
		{
			"part of the content", minimal + mounts(ofContent, "GuestBind:/srv/a="+contentOfX+"/var/b"),
			"guest-bind=/srv/a=/var/b",
		},
		{
			"bind of what the container can change", minimal + mounts(ofContent,
				"HostBind:/srv/a="+contentOfX+"/var/b"),
			"guest-bind=/srv/a=/var/b",
		},
		{
			"of a private path that comes later", minimal + mounts(ofContent,
				"HostBind:/srv/a="+contentOfX+"/etc/b/c", "HostBind:/etc/b="+contentOfX+"/etc/b"),
			"guest-bind=/srv/a=/etc/b/c",
		},
		{"of what it does not see", minimal + mounts(ofContent, "GuestBind:/srv/a="+contentOfX+"/etc/b/c"),
			"host-bind=/srv/a=" + contentOfX + "/etc/b/c"},
		{"of a command's", generic + mounts("HostBind:"+config.DefaultContentBase+"="+contentOfX,
			"GuestBind:/opt/a="+contentOfX+"/opt/a"), "guest-bind=/opt/a=" + config.DefaultContentBase + "/opt/a"},
		{
			"command in an image", generic + mounts("HostImage:"+contentOfX+"=/srv/x.raw",
				"GuestBind:"+config.DefaultContentBase+"="+contentOfX),
			"image=/srv/x.raw image-format=qcow2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Parse("x", test.text)
			if err != nil {
				t.Fatal(err)
			}
			imported, err := c.Sandbox()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for l := range strings.Lines(imported.Sandbox.Text()) {
				if key, _, _ := strings.Cut(l, "="); strings.HasPrefix(key, "image") || strings.HasPrefix(key,
					"guest-") || strings.HasPrefix(key, "host-") {
					got = append(got, strings.TrimSpace(l))
				}
			}
			if strings.Join(got, " ") != test.want || len(imported.Notes) > 0 {
				t.Errorf("gives %q with notes %q, want %s", got, imported.Notes, test.want)
			}
		})
	}
}

// TestLabels: legacy labels and what they become.
func TestLabels(t *testing.T) {
	inImage := image(contentOfX, "/srv/x.raw", "raw")
	own := config.Security{Mode: config.SecurityStatic, Level: "s0:c1,c2"}
	mine := secontext.Context{User: "staff_u", Role: "system_r", Type: "mine_t"}
	mineDynamic := secontext.Context{User: "staff_u", Role: "system_r", Type: "mine_t", Level: "s0"}
	for _, test := range []struct {
		label, dynamic, content string
		want                    config.Security
	}{
		{"", "true", "", config.Security{Mode: config.SecurityStatic}},
		{"system_u:system_r:svirt_lxc_net_t:s0:c1,c2", "false", "", own},
		{"system_u:system_r:container_t:s0:c1,c2", "false", inImage, own},
		{"staff_u:system_r:mine_t:s0:c1", "false", "", config.Security{
			Mode: config.SecurityStatic, Label: mine, Level: "s0:c1",
		}},
		{"system_u:system_r:svirt_lxc_net_t:s0", "true", "", config.Security{Mode: config.SecurityStatic}},
		{"system_u:system_r:svirt_lxc_net_t:s0", "true", inImage, config.Security{Mode: config.SecurityDynamic}},
		{"staff_u:system_r:mine_t:s0", "true", inImage, config.Security{Mode: config.SecurityDynamic, Label: mineDynamic}},
		{"libvirt-lxc", "false", "", config.Security{Mode: config.SecurityStatic, AppArmor: "libvirt-lxc"}},
	} {
		c, err := Parse("x", minimal+"[security]\nlabel="+test.label+"\ndynamic="+test.dynamic+"\n"+test.content)
		if err != nil {
			t.Fatal(err)
		}
		imported, err := c.Sandbox()
		if err != nil {
			t.Fatal(err)
		}
		test.want.FileType = "container_file_t"
		if imported.Sandbox.Security != test.want {
			t.Errorf("%s: %+v, want %+v", test.label, imported.Sandbox.Security, test.want)
		}
	}
}

// FuzzParse: whatever is turned into ours can be read again as ours, once it has a unit.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(examples + "/*.sandbox")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(read(f, file))
	}
	f.Add(minimal)
	f.Add(generic + "[mount.0]\ntype=GVirSandboxConfigMountHostBind\ntarget=/opt/a\nsource=/opt/a/x\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("x.sandbox", text)
		if err != nil {
			return
		}
		imported, err := c.Sandbox()
		if err != nil {
			return
		}
		s := imported.Sandbox
		if !s.Generic() {
			s.Units = []string{"httpd.service"}
		}
		if _, err := config.Parse(s.Name+config.Suffix, s.Text()); err != nil {
			t.Fatalf("ours cannot be read: %v\n%s", err, s.Text())
		}
	})
}
