// SPDX-License-Identifier: Apache-2.0

package config

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/nic"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
	"github.com/virt-sandbox/virt-sandbox/internal/window"
)

var update = flag.Bool("update", false, "write what the tests got as the new golden files")

// configs is the directory of the examples: good ones, what Text makes of each, and bad ones.
const configs = "../testdata/configs"

func TestGoodConfigs(t *testing.T) {
	for _, file := range examples(t, "good") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			sandbox, err := Parse(file, read(t, file))
			if err != nil {
				t.Fatal(err)
			}
			written := sandbox.Text()
			golden := filepath.Join(configs, "written", filepath.Base(file))
			if *update {
				if err := os.WriteFile(golden, []byte(written), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, golden); written != want {
				t.Errorf("Text gives\n%s\nwant (%s)\n%s", written, golden, want)
			}
			again, err := Parse(file, written)
			if err != nil {
				t.Fatalf("cannot read what Text wrote: %v\n%s", err, written)
			}
			if !reflect.DeepEqual(again, sandbox) {
				t.Errorf("read back\n%+v\nwas\n%+v", again, sandbox)
			}
		})
	}
}

func TestBadConfigs(t *testing.T) {
	for _, file := range examples(t, "bad") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want := wanted(t, file)
			sandbox, err := Parse(filepath.Base(file), read(t, file))
			if err == nil {
				t.Fatalf("parsed as %+v\nwant %s", sandbox, want)
			}
			if err.Error() != want {
				t.Errorf("got  %s\nwant %s", err, want)
			}
		})
	}
}

// TestEverySentenceHasAnExample keeps the collection of bad configs complete: a message that nothing provokes is either
// dead or untested.
func TestEverySentenceHasAnExample(t *testing.T) {
	elsewhere := map[string]string{
		"msgTooLong":    "TestParseBoundsLength",
		"msgInterfaces": "TestCheckInterfaces",
		"msgNotState":   "TestDamagedState",
	}
	var wants []string
	for _, file := range examples(t, "bad") {
		wants = append(wants, wanted(t, file))
	}
	sentences := sentences(t)
	if len(sentences) < 30 {
		t.Fatalf("errors.go has only %d sentences; is it still where they are?", len(sentences))
	}
	for name, form := range sentences {
		pattern := regexp.MustCompile(
			`: ` + regexp.MustCompile(`%[qsd]`).
				ReplaceAllString(regexp.QuoteMeta(strings.ReplaceAll(form, "%%", "%")), `.*`) +
				`$`,
		)
		found := false
		for _, want := range wants {
			found = found || pattern.MatchString(want)
		}
		if _, excused := elsewhere[name]; found == excused {
			t.Errorf("%s (%s): a file below %s/bad provokes it: %t; tested elsewhere: %t", name, form, configs, found, excused)
		}
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	file := filepath.Join(configs, "good/apache-all-keys.sandbox")
	weekend, err := window.Parse("Sat,Sun 23:00-01:00")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(file, read(t, file))
	if err != nil {
		t.Fatal(err)
	}
	want := &Sandbox{
		Name: "apache-all-keys",
		UUID: "01234567-89ab-4def-8123-456789abcdef", MachineID: "0123456789ab4def8123456789abcdef",
		Created: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
		Units:   []string{"httpd.service"}, Packages: []string{"mod_ssl", "php-fpm"},
		BootTarget: "graphical.target", Autostart: true, Restart: "on-failure",
		OnFailure: OnFailureRestart, AutoRestart: AutoRestartYes, RestartWindow: weekend,
		Health: Health{
			Command: `curl -fsS "http://[::1]/" >/dev/null`, Interval: 10 * time.Second, Retries: 5, StartPeriod: time.Minute,
			Ready: true,
		},
		Content: "/srv/sandboxes/apache-all-keys", Copy: true,
		Image: "/srv/images/apache.img", ImageFormat: FormatQCOW2, ImageFS: XFS, ImageSize: 2 << 30,
		Security: Security{
			Mode: SecurityStatic, Label: secontext.Context{User: "system_u", Role: "system_r",
				Type: "container_t"}, Level: "s0:c10,c20",
			FileType: "httpd_sys_rw_content_t", AppArmor: "/usr/bin/lxc-start",
		},
		Hardening: Hardening{
			Capabilities: Names{Base: NamesAuto, Add: []string{"CAP_SYS_NICE"}, Drop: []string{"CAP_NET_RAW"}},
			SystemCalls:  Names{Base: NamesAuto, Add: []string{"keyctl"}, Drop: []string{"ptrace"}}, UserNamespaces: true,
			IDMap: IDMap{Base: 100000000, Count: 65536},
		},
		Limits: Limits{
			PIDs: 100, Memory: 512 << 20, CPUs: 0.5, Run: 32 << 20, Tmp: 1 << 30, Shm: 4000 << 10,
			StartTimeout: 2 * time.Minute, StopTimeout: 45 * time.Second,
		},
		Forward: ForwardAll, Store: StoreHost, Network: NetworkPrivate,
		Interfaces: []Interface{
			{Source: "default", MAC: "52:54:00:12:34:56", DHCP: true, Filter: "clean-traffic", Parameters: []nic.Parameter{
				{Name: "IP", Value: "192.168.122.9"}, {Name: "IP", Value: "192.168.122.10"}}},
			{
				Bridge: "br0", MAC: "52:54:00:12:34:57", DNS: []netip.Addr{netip.MustParseAddr("10.1.0.1"),
					netip.MustParseAddr("fd00::1")},
				Addresses: []nic.Address{
					{
						Prefix: netip.MustParsePrefix("10.1.0.9/16"), Broadcast: netip.MustParseAddr("10.1.255.255"),
					}, {Prefix: netip.MustParsePrefix("fd00::9/64")},
				},
				Routes: []nic.Route{
					{Destination: netip.MustParsePrefix("10.2.0.0/16"), Gateway: netip.MustParseAddr("10.1.0.1")},
					{Destination: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fe80::1")},
				},
			},
		},
		Mounts: []Mount{
			{Kind: MountGuestBind, Target: "/srv/shown", Source: "/var/www"},
			{Kind: MountHostBind, Target: "/srv/dumps", Source: "/backup/web 1"},
			{Kind: MountHostImage, Target: "/srv/data", Source: "/images/data.raw", Format: FormatRaw},
			{Kind: MountRAM, Target: "/scratch", Size: 10 << 20},
		},
		Disks: []Disk{{"db", "/dev/vg/db", FormatRaw}},
		Private: []PrivatePath{
			{"/etc/httpd", "package:httpd"},
			{"/var/lib/httpd", "unit:httpd.service/StateDirectory"},
			{"/var/cache/httpd", "tmpfiles:/usr/lib/tmpfiles.d/httpd.conf"},
			{"/var/spool/apache", "user:apache"},
			{"/etc/pki/tls/private/localhost.key", "link:/etc/httpd"},
			{"/srv/www", "admin"},
		},
		Environment: []Variable{{"LANG", "C.UTF-8"}, {"EMPTY", ""}},
		Unit:        []Directive{{"After", "postgresql.service"}, {"After", "redis.service"}},
		Service: []Directive{{"LimitNOFILE", "65536"}, {"ExecStartPre", `"/usr/bin/logger" "web %i"`},
			{"LogExtraFields", `"GREETING=hello world" "A=1"`}, {"SupplementaryGroups", ""}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

func TestParseFillsInDefaults(t *testing.T) {
	got, err := Parse("web.sandbox", "[sandbox]\nformat=1\nname=web\nunit=httpd.service\n")
	if err != nil {
		t.Fatal(err)
	}
	want := New("web")
	want.Units = []string{"httpd.service"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if got.Content != "/var/lib/libvirt/filesystems/web" {
		t.Errorf("content is %s", got.Content)
	}
}

func TestParseBoundsLength(t *testing.T) {
	text := "[sandbox]\nformat=1\nname=web\nunit=httpd.service\n#"
	if _, err := Parse("web.sandbox", text+strings.Repeat("#", maxConfigSize-len(text))); err != nil {
		t.Errorf("%d bytes: %v", maxConfigSize, err)
	}
	_, err := Parse("web.sandbox", text+strings.Repeat("#", maxConfigSize-len(text)+1))
	if want := "web.sandbox: the file is longer than 1048576 bytes"; err == nil || err.Error() != want {
		t.Errorf("%d bytes: got %v, want %s", maxConfigSize+1, err, want)
	}
}

func examples(t *testing.T, kind string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(configs, kind, "*"+Suffix))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in %s/%s (%v)", configs, kind, err)
	}
	return files
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func wanted(t *testing.T, file string) string {
	t.Helper()
	first, _, _ := strings.Cut(read(t, file), "\n")
	want, found := strings.CutPrefix(first, "# want: ")
	if !found {
		t.Fatalf("the first line of %s is no # want: …", file)
	}
	return want
}

// sentences returns the messages of errors.go by the names of their constants.
func sentences(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "msg") {
			var text strings.Builder
			ast.Inspect(spec.Values[0], func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok {
					return true
				}
				part, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(fmt.Errorf("%s: %w", spec.Names[0].Name, err))
				}
				text.WriteString(part)
				return true
			})
			found[spec.Names[0].Name] = text.String()
		}
		return true
	})
	return found
}
