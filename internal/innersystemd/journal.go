// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"context"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/internal/consoletext"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Journal reads the last lines that a unit of a container logged, from inside: the container's journal is not to be
// parsed by a program with the host's rights.
func Journal(target enter.Target, name, unit string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// A unit that goes on failing writes while this reads, and then journalctl may find nothing.
	for range 20 {
		text := journalctl(ctx, target, name, "--sync") +
			journalctl(ctx, target, name, "--no-pager", "--quiet", "--output=short", "--lines=10", "--unit="+unit)
		if text != "" || ctx.Err() != nil {
			return text
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ""
}

func journalctl(ctx context.Context, target enter.Target, name string, args ...string) string {
	out := consoletext.Head{Left: consoletext.Kept} // what journalctl says of a failure is an answer too
	_, err := enter.Run(ctx, target, enter.Command{
		Args:        append([]string{"journalctl"}, args...),
		Environment: enter.Environment(name),
		Stdout:      &out,
		Stderr:      &out,
	})
	if err != nil {
		return err.Error()
	}
	return printable.Text(strings.TrimRight(out.String(), "\n"))
}
