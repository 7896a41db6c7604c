// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// sandboxing are the directives of systemd.exec(5) and systemd.resource-control(5) by which services lock themselves
// in, or ask for something that containers have less of than machines.
var sandboxing = []string{
	"CapabilityBoundingSet=CAP_CHOWN CAP_SYS_TIME CAP_SYS_RAWIO CAP_BPF", "CapabilityBoundingSet=~CAP_SYS_ADMIN",
	"AmbientCapabilities=CAP_AUDIT_CONTROL CAP_BLOCK_SUSPEND CAP_DAC_READ_SEARCH CAP_LINUX_IMMUTABLE CAP_MAC_ADMIN",
	"AmbientCapabilities=CAP_MAC_OVERRIDE CAP_MKNOD CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_PACCT CAP_SYS_RAWIO",
	"AmbientCapabilities=CAP_SYS_TIME CAP_SYSLOG CAP_WAKE_ALARM CAP_BPF CAP_PERFMON CAP_CHECKPOINT_RESTORE",
	"AmbientCapabilities=CAP_NET_BIND_SERVICE", "SecureBits=noroot", "NoNewPrivileges=yes",
	"ProtectSystem=yes", "ProtectSystem=full", "ProtectSystem=strict", "ProtectHome=yes", "ProtectHome=tmpfs",
	"ReadWritePaths=-/var/tmp", "ReadOnlyPaths=/etc", "InaccessiblePaths=/root", "ExecPaths=/usr", "NoExecPaths=/var",
	"PrivateTmp=yes", "PrivateDevices=yes", "PrivateNetwork=yes", "PrivateIPC=yes", "PrivateUsers=yes",
	"PrivateMounts=yes",
	"ProtectHostname=yes", "ProtectClock=yes", "ProtectKernelTunables=yes", "ProtectKernelModules=yes",
	"ProtectKernelLogs=yes", "ProtectControlGroups=yes", "ProtectProc=invisible", "ProcSubset=pid", "MountFlags=slave",
	"BindPaths=/var/tmp", "RestrictAddressFamilies=AF_UNIX", "RestrictFileSystems=~tmpfs", "RestrictNamespaces=yes",
	"RestrictRealtime=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "RemoveIPC=yes",
	"SystemCallFilter=@system-service", "SystemCallFilter=~@mount", "SystemCallArchitectures=native",
	"SystemCallLog=@clock",
	"Personality=x86-64", "KeyringMode=private", "KeyringMode=inherit", "UMask=0077", "OOMScoreAdjust=-900", "Nice=-10",
	"IOSchedulingClass=realtime", "CPUSchedulingPolicy=rr", "CPUAffinity=0", "NUMAPolicy=default", "LimitNOFILE=infinity",
	"LimitMEMLOCK=infinity", "LimitNPROC=4", "LimitCORE=infinity", "TimerSlackNSec=1000", "CoredumpFilter=all",
	"StateDirectory=vst-box", "RuntimeDirectory=vst-box", "LogsDirectory=vst-box", "CacheDirectory=vst-box",
	"StateDirectory=vst-box\nUser=www-data", "DynamicUser=yes", "SupplementaryGroups=adm",
	"LoadCredential=token:/etc/vst/secret",
	"SetCredential=token:x", "WorkingDirectory=/var", "MemoryMax=64M", "TasksMax=20", "CPUQuota=50%", "IOWeight=50",
	"IPAddressDeny=any", "DeviceAllow=/dev/null rw", "DevicePolicy=closed", "SocketBindDeny=any", "Delegate=yes",
	"Slice=system.slice", "ManagedOOMSwap=kill", "WatchdogSec=30", "StandardInput=null", "TTYVHangup=yes",
}

// insisting are those that systemd starts no service without, for which the container has CAP_SYS_ADMIN.
var insisting = []string{
	"TemporaryFileSystem=/var/lib/vst-scratch", "BindPaths=/usr:/srv", "BindReadOnlyPaths=/usr:/srv",
}

// Units start with each of the directives by which services lock themselves in: what a container cannot give is left
// out, or the container gets it.
func TestSandboxingDirectives(t *testing.T) {
	rig.On(t, rig.Native)
	installUnits(t)
	t.Cleanup(func() { shell(t, "rm -rf /etc/systemd/system/vst-box*") })
	for kind, directives := range map[string][]string{"locked in": sandboxing, "insisting": insisting} {
		t.Run(kind, func(t *testing.T) {
			args := []string{"create", "-C", "-P", "virt-sandbox-test-units"}
			var units []string
			for n, directive := range directives {
				unit := fmt.Sprintf("vst-box%d.service", n)
				text := "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n" + directive + "\n"
				if err := os.WriteFile("/etc/systemd/system/"+unit, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				units = append(units, unit)
				args = append(args, "-u", unit)
			}
			t.Cleanup(func() { remove(t, "t-locked") })
			must(t, append(args, "t-locked")...)
			if o := run(t, "start", "t-locked"); o.status != 0 {
				n := slices.IndexFunc(units, func(unit string) bool { return strings.Contains(o.stderr, unit+" inside") })
				if n < 0 {
					t.Fatalf("start: %s", o.stderr)
				}
				t.Fatalf("with %s: %s", directives[n], o.stderr)
			}
			states := strings.Fields(inside(t, "t-locked", "systemctl is-active "+strings.Join(units, " ")))
			for n, directive := range directives {
				if states[n] != "active" {
					t.Errorf("with %s it is %s", directive, states[n])
				}
			}
		})
	}
}
