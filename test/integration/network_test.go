// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// Containers on a libvirt network get addresses and names from its dnsmasq, and reach each other and the host, as far
// as a filter lets them; leases and containers outlive a libvirtd.
func TestNetworkDHCP(t *testing.T) {
	rig.On(t, rig.Native)
	makeNetwork(t, "off")
	defineFilter(t, "t-no-web", `<rule action='drop' direction='in' priority='500'><tcp dstportstart='80'/></rule>`)
	before := snapshot(t)
	resolv := shell(t, "cat /etc/resolv.conf")
	create(t, "t-net-a", "-C", "-u", "apache2", "-N", "dhcp,source=t-net")
	create(t, "t-net-b", "-C", "-u", "apache2", "-N", "dhcp,source=t-net,filter=t-no-web",
		"--capabilities", "auto -CAP_NET_ADMIN -CAP_NET_RAW")
	createCommand(t, "t-net-c", []string{"-N", "dhcp,source=t-net", "--idmap", "auto"}, "sleep", "infinity")
	addresses := make(map[string]string)
	for _, name := range []string{"t-net-a", "t-net-b", "t-net-c"} {
		must(t, "start", name)
		text := inside(t, name, "ip -4 -o addr show dev eth0")
		lease := regexp.MustCompile(`inet (192\.168\.221\.\d+)/24 brd 192\.168\.221\.255 .* valid_lft (\d+)sec`)
		found := lease.FindStringSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no lease: %s", name, text)
		}
		addresses[name] = found[1]
		if by := shell(t, "busybox nslookup "+name+" 192.168.221.1 | tail -n +3"); !strings.Contains(by, found[1]) {
			t.Errorf("the host finds %s by its name as %q, not as %s", name, by, found[1])
		}
		if got := inside(t, name, "cat /etc/resolv.conf"); !strings.HasSuffix(got,
			"nameserver 192.168.221.1\nsearch t-net.test\n") {
			t.Errorf("resolv.conf of %s: %q", name, got)
		}
		if got := inside(t, name, "ip route show default"); !strings.HasPrefix(got,
			"default via 192.168.221.1 dev eth0 proto dhcp") {
			t.Errorf("default route of %s: %q", name, got)
		}
	}
	const page = "curl -s --max-time 3 -o /dev/null -w '%{http_code}' http://"
	reach := func(when string) {
		t.Helper()
		for _, name := range []string{"t-net-b", "t-net-c"} {
			if got := inside(t, name, page+"t-net-a/"); got != "200" {
				t.Errorf("%s: %s gets %s from t-net-a", when, name, got)
			}
		}
		if got := shell(t, page+addresses["t-net-a"]+"/"); got != "200" {
			t.Errorf("%s: the host gets %s from t-net-a", when, got)
		}
		for _, who := range []string{"the host", "t-net-a"} {
			script := page + addresses["t-net-b"] + "/ || true"
			got := ""
			if who == "the host" {
				got = shell(t, script)
			} else {
				got = inside(t, who, script)
			}
			if got != "000" {
				t.Errorf("%s: %s gets %s from t-net-b in spite of its filter", when, who, got)
			}
		}
	}
	reach("at first")
	if got := inside(t, "t-net-b", page+"localhost/"); got != "200" {
		t.Errorf("t-net-b gets %s from itself", got)
	}
	if o := run(t, "execute", "t-net-b", "--", "ip", "link", "set", "eth0", "down"); o.status == 0 {
		t.Error("root without CAP_NET_ADMIN switched its interface off")
	}
	_ = run(t, "execute", "t-net-a", "--", "sh", "-c", "echo x >>/etc/resolv.conf")
	if got := shell(t, "cat /etc/resolv.conf"); got != resolv {
		t.Errorf("the host's resolv.conf changed to %q", got)
	}

	restartLibvirtd(t, "kill")
	reach("after a restart of libvirtd")

	mac := macOf(t, "t-net-a")
	for _, name := range []string{"t-net-a", "t-net-b", "t-net-c"} {
		must(t, "stop", name)
	}
	must(t, "start", "t-net-a")
	if got := inside(t, "t-net-a", "ip -4 -o addr show dev eth0"); !strings.Contains(got, addresses["t-net-a"]+"/24") ||
		macOf(t, "t-net-a") != mac {
		t.Errorf("after a stop and a start, t-net-a has %s, not %s", got, addresses["t-net-a"])
	}
	for _, name := range []string{"t-net-a", "t-net-b", "t-net-c"} {
		remove(t, name)
	}
	sameAs(t, before, "after delete")
}

// A lease is renewed in time. When the server is gone it ends, and with the server it comes back; so it does after the
// monitor was killed.
func TestNetworkLease(t *testing.T) {
	rig.On(t, rig.Native)
	makeBridge(t)
	end := serveDHCP(t, 12)
	createCommand(t, "t-lease", []string{"-N", "dhcp,bridge=t-br"}, "sleep", "infinity")
	must(t, "start", "t-lease")
	has := func() bool {
		return strings.Contains(inside(t, "t-lease", "ip -4 -o addr show dev eth0"), "inet 10.221.0.")
	}
	if !has() {
		t.Fatal("no lease")
	}
	for _, line := range processes() {
		if fields := strings.Fields(line); strings.HasSuffix(fields[2], "virt-sandbox-service-monitor-dhcp") {
			shell(t, "kill -9 "+fields[1])
		}
	}
	must(t, "start", "t-lease")
	for range 18 {
		if time.Sleep(time.Second); !has() {
			t.Fatal("the lease was not renewed")
		}
	}
	end()
	// The kernel takes the address away by itself, the monitor the rest.
	within(t, 20*time.Second, "the address goes with the lease", func() bool { return !has() })
	within(t, 5*time.Second, "so do its route and server", func() bool {
		return !strings.Contains(inside(t, "t-lease", "ip route show default; cat /etc/resolv.conf"), "10.221.0.1")
	})
	serveDHCP(t, 20)
	within(t, 75*time.Second, "a new lease", has)
	if got := inside(t, "t-lease", "cat /etc/resolv.conf"); !strings.Contains(got,
		"nameserver 10.221.0.1\nsearch lease.test\n") {
		t.Errorf("resolv.conf: %q", got)
	}
}

// Fixed addresses of both kinds are there when the first service starts, on a libvirt network and on a bridge.
func TestNetworkStatic(t *testing.T) {
	rig.On(t, rig.Native)
	makeNetwork(t, "on")
	makeBridge(t)
	before := snapshot(t)
	create(t, "t-static", "-C", "-u", "apache2",
		"-N", "source=t-net,mac=52:54:00:22:10:01,address=192.168.221.200/24,address=fd00:221::200/64,"+
			"route=0.0.0.0/0%192.168.221.1,route=::/0%fd00:221::1",
		"-N", "bridge=t-br,address=10.221.0.9/24%10.221.0.254,route=10.222.0.0/16%10.221.0.1,dns=10.221.0.1")
	conf := contentDir + "/t-static/etc/apache2/ports.conf"
	if err := os.WriteFile(conf, []byte("Listen 192.168.221.200:80\nListen [fd00:221::200]:80\nListen 10.221.0.9:80\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	must(t, "start", "t-static")
	for _, address := range []string{"192.168.221.200", "10.221.0.9"} {
		if got := shell(t, "curl -s --max-time 20 -o /dev/null -w '%{http_code}' http://"+address+"/"); got != "200" {
			t.Errorf("the host gets %s from %s", got, address)
		}
	}
	// The host's own address of that kind can be used some time after the first container is on the bridge.
	wait(t, "a page by IPv6", func() bool {
		return shell(t, "curl -s --max-time 1 -o /dev/null -w '%{http_code}' 'http://[fd00:221::200]/' || true") == "200"
	})
	for script, want := range map[string]string{
		"ip -o -4 addr show dev eth1":                "10.221.0.9/24 brd 10.221.0.254",
		"ip route show":                              "default via 192.168.221.1 dev eth0",
		"ip route show 10.222.0.0/16":                "via 10.221.0.1 dev eth1",
		"cat /proc/sys/net/ipv6/conf/eth0/accept_ra": "0\n",
		"ip -6 route show default":                   "default via fd00:221::1 dev eth0",
		"ip -o link show dev eth0":                   "link/ether 52:54:00:22:10:01 ",
		"grep nameserver /etc/resolv.conf | paste -sd ' '": "nameserver 192.168.221.1 nameserver fd00:221::1 nameserver " +
			"10.221.0.1\n",
	} {
		if got := inside(t, "t-static", script); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", script, got, want)
		}
	}
	if got := shell(t, "ip -o link show dev sb525400221001"); !strings.Contains(got, "master t-net-br") {
		t.Errorf("the host's end of eth0: %q", got)
	}
	// A link that root inside left leads to nothing else.
	must(t, "stop", "t-static")
	link := contentDir + "/t-static/etc/resolv.conf"
	_ = os.Remove(link)
	if err := os.Symlink("/usr/bin/env", link); err != nil {
		t.Fatal(err)
	}
	must(t, "start", "t-static")
	inside(t, "t-static", "/usr/bin/env true")
	remove(t, "t-static")
	sameAs(t, before, "after delete")
}

// What the host lacks for a network is said at create or at the start, in one line, and nothing stays.
func TestNetworkRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	makeNetwork(t, "off")
	makeBridge(t)
	create(t, "t-mac", "-u", "apache2", "-N", "source=t-net,mac=52:54:00:22:10:02")
	before := snapshot(t)
	for option, want := range map[string]string{
		"dhcp,source=no-such":                   "interface dhcp,source=no-such,mac=52:54:00:",
		"source=no-such":                        "libvirt has no network no-such (Network not found",
		"bridge=no-such":                        "the host has no bridge no-such; make it",
		"bridge=lo":                             "lo is no bridge (it is a device)",
		"source=t-net,filter=no-such":           "libvirt has no network filter no-such (Network filter not found",
		"source=t-net,mac=52:54:00:22:10:02":    "sandbox t-mac has the MAC address 52:54:00:22:10:02 already",
		"source=t-net,address=10.0.0.1,colour=": `-N: source=t-net,address=10.0.0.1,colour=: "colour=" is not dhcp`,
		"source=t-net,address=192.168.221.0/24": "192.168.221.0/24 is not an address that an interface can have",
	} {
		refused(t, run(t, "create", "-u", "apache2", "-N", option, "x"), want)
	}
	refused(t, run(t, "create", "-u", "apache2", "-N", "host", "-N", "dhcp", "x"), "-N: host excludes every other -N")
	sameAs(t, before, "after the refusals")

	create(t, "t-refused", "-u", "apache2", "-N", "dhcp,bridge=t-br", "-N", "source=t-net")
	edit(t, "t-refused", "start-timeout=5m0s", "start-timeout=3s")
	starts := func(want string) {
		t.Helper()
		links := shell(t, "ip -br link | grep -v -e '^t-'")
		if o := run(t, "start", "t-refused"); o.status != 1 || strings.Count(o.stderr, "\n") != 1 ||
			!strings.Contains(o.stderr, want) {
			t.Errorf("start: %+v, want %s", o, want)
		}
		if now := shell(t, "ip -br link | grep -v -e '^t-'"); now != links {
			t.Errorf("the start that failed left, or took away, interfaces:\n%s\nbefore:\n%s", now, links)
		}
	}
	starts("network of t-refused: eth0: no DHCP server answers within 3s")
	shell(t, "virsh -q -c lxc:/// net-destroy t-net")
	starts("libvirt's network t-net is active: run virsh -c lxc:/// net-start t-net")
	shell(t, "ip link del t-br")
	starts("the host has no bridge t-br")
	shell(t, "virsh -q -c lxc:/// net-start t-net; ip link add t-br type bridge; ip addr add 10.221.0.1/24 dev t-br; ip "+
		"link set t-br up")
	remove(t, "t-refused")
	sameAs(t, before, "after delete")
}

// A start that is killed while it waits for a DHCP server leaves nothing that a stop and a delete do not remove, and
// can be tried again.
func TestNetworkKilled(t *testing.T) {
	rig.On(t, rig.Native)
	makeBridge(t)
	before := snapshot(t)
	createCommand(t, "t-killed", []string{"-N", "dhcp,bridge=t-br,mac=52:54:00:22:10:03"}, "sleep", "infinity")
	start := exec.Command(program, "start", "t-killed")
	if err := start.Start(); err != nil {
		t.Fatal(err)
	}
	waits := func() bool {
		return exec.Command("ip", "link", "show", "dev", "sb525400221003", "up").Run() == nil &&
			strings.Contains(strings.Join(processes(), "\n"), "virt-sandbox-init")
	}
	wait(t, "the start to wait", waits)
	time.Sleep(500 * time.Millisecond)
	shell(t, "pkill -9 -f '[v]irt-sandbox-service-helper .*run t-killed$'")
	_ = start.Wait()
	end := serveDHCP(t, 20)
	defer end()
	must(t, "start", "t-killed")
	if got := inside(t, "t-killed", "ip -4 -o addr show dev eth0"); !strings.Contains(got, "inet 10.221.0.") {
		t.Errorf("the second start gives no address: %q", got)
	}
	remove(t, "t-killed")
	end()
	sameAs(t, before, "after delete")
}

// networkXML is a network of libvirt's with its shortest leases, and a spanning tree or none.
const networkXML = `<network><name>t-net</name><bridge name='t-net-br' stp='%s'/>
<forward mode='nat'/><domain name='t-net.test' localOnly='yes'/>
<ip address='192.168.221.1' prefix='24'><dhcp>
<range start='192.168.221.10' end='192.168.221.99'><lease expiry='2' unit='minutes'/></range></dhcp></ip>
<ip family='ipv6' address='fd00:221::1' prefix='64'/></network>`

// makeNetwork has libvirt run a network t-net for the test.
func makeNetwork(t *testing.T, tree string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "network.xml")
	if err := os.WriteFile(file, fmt.Appendf(nil, networkXML, tree), 0o600); err != nil {
		t.Fatal(err)
	}
	shell(t, "virsh -q -c lxc:/// net-define "+file+" && virsh -q -c lxc:/// net-start t-net")
	t.Cleanup(func() {
		shell(t, "virsh -q -c lxc:/// net-destroy t-net || true; virsh -q -c lxc:/// net-undefine t-net; rm -f "+
			"/var/lib/libvirt/dnsmasq/t-net*")
	})
}

func defineFilter(t *testing.T, name, rules string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "filter.xml")
	if err := os.WriteFile(file, []byte("<filter name='"+name+"' chain='root'>"+rules+"</filter>"), 0o600); err != nil {
		t.Fatal(err)
	}
	shell(t, "virsh -q -c lxc:/// nwfilter-define "+file)
	t.Cleanup(func() { shell(t, "virsh -q -c lxc:/// nwfilter-undefine "+name) })
}

// makeBridge makes t-br, a bridge of the host's own at 10.221.0.1/24, with a MAC address that does not change with
// those of its ports.
func makeBridge(t *testing.T) {
	t.Helper()
	shell(t, "ip link add t-br address 52:54:00:22:1b:01 type bridge")
	t.Cleanup(func() { shell(t, "ip link del t-br 2>/dev/null || true") })
	shell(t, "ip addr add 10.221.0.1/24 dev t-br && ip link set t-br up")
}

// serveDHCP runs another server than libvirt's on makeBridge's bridge, with leases as short as one likes.
func serveDHCP(t *testing.T, seconds int) (end func()) {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("start 10.221.0.50\nend 10.221.0.60\ninterface t-br\nlease_file %[1]s/leases\n"+
		"pidfile %[1]s/pid\nmin_lease 5\noption subnet 255.255.255.0\noption router 10.221.0.1\n"+
		"option dns 10.221.0.1\noption domain lease.test\noption lease %[2]d\n", dir, seconds)
	if err := os.WriteFile(dir+"/conf", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/leases", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server := exec.Command("busybox", "udhcpd", "-f", dir+"/conf")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = server.Process.Kill()
			_ = server.Wait()
		}
	}
	t.Cleanup(end)
	return end
}

// createCommand makes a sandbox of a command that the test's end removes.
func createCommand(t *testing.T, name string, options []string, command ...string) {
	t.Helper()
	t.Cleanup(func() { remove(t, name) })
	must(t, append(append(append([]string{"create"}, options...), name, "--"), command...)...)
}

func macOf(t *testing.T, name string) string {
	t.Helper()
	return regexp.MustCompile(`mac=[^,\n]*`).FindString(described(t, name))
}

// within is wait for what takes longer.
func within(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", limit, what)
		}
	}
}
