// SPDX-License-Identifier: Apache-2.0

package hostsystemd

import (
	"context"
	"encoding/hex"
	"os/exec"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// lastJournal returns what a unit logged in its last run, harmless for a terminal, or why that cannot be read.
func (c *Client) lastJournal(ctx context.Context, systemd bus, unit string) string {
	properties, err := systemd.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return err.Error()
	}
	id, _ := properties["InvocationID"].([]byte)
	out, err := c.journal(ctx, hex.EncodeToString(id))
	if err != nil {
		return err.Error()
	}
	return printable.Text(strings.TrimSpace(string(out)))
}

// readJournal returns the last lines that a run of a unit logged (journalctl(1)).
func readJournal(ctx context.Context, invocation string) ([]byte, error) {
	return exec.CommandContext(ctx, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=20",
		"_SYSTEMD_INVOCATION_ID="+invocation).CombinedOutput()
}
