// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/healthcheck"
)

// healthUnit runs a check and ends; %[1]s is the word for it, %[2]s units that are up before, %[3]s seconds that it may
// take, %[4]s more lines. What systemd says of each run is left out of the journal; what the command says is not.
const healthUnit = `[Unit]
Description=Health of the sandbox
After=%[2]s

[Service]
Type=oneshot
ExecStart=/run/host/virt-sandbox-init %[1]s
TimeoutStartSec=%[3]s
SyslogIdentifier=health
SyslogLevel=notice
LogLevelMax=notice
%[4]s`

// healthTimer checks again and again; %[1]s are units that are up before, %[2]d the seconds between two checks, and
// %[3]d how late one may come, so that it comes together with others. It must not be among what services wait for.
const healthTimer = `[Unit]
Description=Health of the sandbox
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
After=%[1]s

[Timer]
OnActiveSec=%[2]d
OnUnitInactiveSec=%[2]d
AccuracySec=%[3]d
`

const (
	healthTimerName = "virt-sandbox-health.timer"
	healthReadyName = "virt-sandbox-health-ready.service"
)

// addHealth adds the units that check the health of a sandbox.
func addHealth(files map[string]string, s *config.Sandbox) {
	if s.Health.Command == "" {
		return
	}
	seconds := int64((s.Health.Interval + time.Second - 1) / time.Second)
	before, wanted := strings.Join(s.Units, " "), healthTimerName
	if s.Health.Ready {
		files[healthReadyName] = fmt.Sprintf(healthUnit, healthcheck.ReadyWord, before, "infinity", "RemainAfterExit=yes\n")
		before, wanted = before+" "+healthReadyName, wanted+" "+healthReadyName
	}
	files[healthcheck.Unit] = fmt.Sprintf(healthUnit, healthcheck.Word, before, fmt.Sprint(seconds+10), "")
	files[healthTimerName] = fmt.Sprintf(healthTimer, before, seconds, max(1, seconds/20))
	files[s.BootTarget+".d/95-virt-sandbox-health.conf"] = "[Unit]\nWants=" + wanted + "\n"
}
