// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// hostUnits makes units and drop-ins of the host's administrator, by their names below /etc/systemd/system.
func hostUnits(t *testing.T, files map[string]string) {
	t.Helper()
	const dir = "/etc/systemd/system/"
	t.Cleanup(func() {
		for name := range files {
			_ = os.Remove(dir + name)
			if parent := filepath.Dir(dir + name); parent+"/" != dir {
				_ = os.Remove(parent)
			}
		}
	})
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(dir+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const sleeps = "[Service]\nExecStart=/bin/sleep infinity\n"

// What systemctl edit makes on the host asks for what no container has, and the service starts inside: also where that
// is made when the container is there already. A drop-in inside that comes after ours counts more than it.
func TestOverrides(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	const override = "t-over.service.d/override.conf"
	const text = "[Unit]\nConditionVirtualization=!container\n[Service]\nAmbientCapabilities=CAP_SYS_RAWIO CAP_CHOWN\n" +
		"DynamicUser=yes\nPrivateUsers=yes\nCPUSchedulingPolicy=fifo\nIOSchedulingClass=realtime\n"
	hostUnits(t, map[string]string{"t-over.service": sleeps, override: text})
	o := run(t, "create", "-P", "hostname", "-u", "t-over", "t-over")
	t.Cleanup(func() { remove(t, "t-over") })
	if o.status != 0 || !strings.Contains(o.stderr, "it runs without CAP_SYS_RAWIO") {
		t.Fatalf("create: %+v", o)
	}
	who := func() string {
		t.Helper()
		return inside(t, "t-over", "ps -o user= -p $(systemctl show --value -p MainPID t-over)")
	}
	must(t, "start", "t-over")
	if got := who(); got != "t-over\n" {
		t.Errorf("it runs as %q", got)
	}
	if got := inside(t, "t-over", "ls /etc/systemd/system/t-over.service.d"); strings.Contains(got, "90-virt") {
		t.Errorf("content has %q", got)
	}
	must(t, "stop", "t-over")
	hostUnits(t, map[string]string{"t-over.service.d/local.conf": "[Service]\nAmbientCapabilities=CAP_SYSLOG\nNice=3\n"})
	must(t, "start", "t-over")
	const show = "systemctl show --value -p Nice -p AmbientCapabilities t-over"
	if got := inside(t, "t-over", show); strings.Contains(got, "syslog") || !strings.Contains(got, "3\n") {
		t.Errorf("after another drop-in of the host: %q", got)
	}
	inside(t, "t-over", "printf '[Service]\\nUser=nobody\\n' >/etc/systemd/system/t-over.service.d/zzz-local.conf && "+
		"systemctl daemon-reload && systemctl restart t-over")
	if got := who(); got != "nobody\n" {
		t.Errorf("with a drop-in of its own it runs as %q", got)
	}
}

// Units that the asked one pulls in run inside as it does: what it requires is as if it had been asked for, what it
// wants runs if it can, and what no container can run is left out, or refused where it is required.
func TestPulledUnits(t *testing.T) {
	rig.On(t, rig.Native, rig.VM)
	const moment = sleeps + "DynamicUser=yes\nStateDirectory=%N\nAmbientCapabilities=CAP_SYS_RAWIO CAP_CHOWN\n" +
		"CPUSchedulingPolicy=rr\n"
	const notInside = "[Unit]\nConditionVirtualization=!container\n"
	hostUnits(t, map[string]string{
		"t-main.service": "[Unit]\nRequires=t-req.service\nAfter=t-req.service t-want.service t-clock.service\n" +
			"Wants=t-want.service t-clock.service t-host.service\n" + sleeps,
		"t-req.service":                       notInside + moment,
		"t-want.service":                      moment,
		"t-host.service":                      notInside + sleeps,
		"t-clock.service":                     "[Unit]\nConflicts=systemd-timesyncd.service\n" + sleeps,
		"t-deep.service":                      moment,
		"t-want.service.wants/t-deep.service": "",
		"t-refused.service":                   "[Unit]\nRequires=t-clock.service\n" + sleeps,
		"t-down.service":                      "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo no wheel; exit 3'\n",
		"t-needs.service":                     "[Unit]\nRequires=t-down.service\nAfter=t-down.service\n" + sleeps,
	})
	shell(t, "ln -sf ../t-deep.service /etc/systemd/system/t-want.service.wants/t-deep.service")
	o := run(t, "create", "-P", "hostname", "-u", "t-main", "t-pulled")
	t.Cleanup(func() { remove(t, "t-pulled") })
	for _, told := range []string{
		"t-clock.service: t-main.service wants it, and it is not started in a container: it sets the clock",
		"t-host.service: t-main.service wants it, and ConditionVirtualization=!container keeps it",
	} {
		if o.status != 0 || !strings.Contains(o.stderr, told) {
			t.Errorf("create: %+v, want %q", o, told)
		}
	}
	must(t, "start", "t-pulled")
	for unit, want := range map[string]string{
		"t-main": "root", "t-req": "t-req", "t-want": "t-want", "t-deep": "t-deep", "t-host": "", "t-clock": "",
	} {
		got := inside(t, "t-pulled", "systemctl is-active -q "+unit+" && ps -o user= -p $(systemctl show --value -p MainPID "+
			unit+"); true")
		if strings.TrimSpace(got) != want {
			t.Errorf("%s runs as %q, want %q", unit, got, want)
		}
	}
	if failed := inside(t, "t-pulled", "systemctl --failed --no-legend --plain"); failed != "" {
		t.Errorf("failed inside:\n%s", failed)
	}
	o = run(t, "create", "-P", "hostname", "-u", "t-refused", "t-refused")
	if want := "t-refused.service requires t-clock.service: it sets the clock"; o.status != 1 ||
		!strings.Contains(o.stderr, want) {
		t.Errorf("create: %+v, want %q", o, want)
	}
	o = run(t, "create", "-P", "hostname", "-u", "t-needs", "t-needs")
	t.Cleanup(func() { remove(t, "t-needs") })
	if o = run(t, "start", "t-needs"); o.status != 1 || !strings.Contains(o.stderr, "t-down.service inside failed "+
		"(exit-code), without which t-needs.service does not start") || !strings.Contains(o.stderr, "no wheel") {
		t.Errorf("start: %+v", o)
	}
}
