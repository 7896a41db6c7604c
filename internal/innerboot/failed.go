// SPDX-License-Identifier: Apache-2.0

package innerboot

import "github.com/virt-sandbox/virt-sandbox/internal/unitfailed"

// A failure of a unit inside starts a unit that tells the host of it and ends: nothing waits for failures, or looks for
// them. A start that comes while that unit is at work would be lost. So those of the sandbox start an instance each; a
// drop-in of the same name takes the place of that for all of a type.
const (
	failureDropIn = "81-virt-sandbox-failed.conf"
	failureUnit   = "virt-sandbox-failed"

	// During a shutdown the job is refused, since it conflicts: failures do not count any more.
	failureText = `[Unit]
Description=Tell the host of units that failed
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
ExecStart=-/run/host/virt-sandbox-init ` + unitfailed.Word + "\n"
)

// failures makes the units that tell of failures.
func (p *plan) failures(own []string) {
	for _, name := range []string{failureUnit + ".service", failureUnit + "@.service"} {
		p.file(name, failureText)
		p.file(name+".d/"+failureDropIn, "# It tells of others.\n")
	}
	for _, kind := range []string{"service", "socket", "timer", "path"} {
		p.file(kind+".d/"+failureDropIn, "[Unit]\nOnFailure="+failureUnit+".service\n")
	}
	for _, name := range own {
		p.file(name+".d/"+failureDropIn, "[Unit]\nOnFailure="+failureUnit+"@%n.service\n")
	}
}
