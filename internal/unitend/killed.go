// SPDX-License-Identifier: Apache-2.0

package unitend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/monitor"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// verdict is what becomes of a container whose monitor was killed.
type verdict struct {
	keep  bool // it goes on, and the next run of its unit takes it over
	again bool // its unit is started again
}

// ofKilled decides for a container, of which lives says whether it is there at all, and starting whether somebody waits
// for it to come up. What the monitor would have ended with counts as if it had lived: a failure inside that it knew
// of, or an end that the container had told it of.
func ofKilled(s *config.Sandbox, run places.RunDir, lives, starting bool) verdict {
	if run.FailedUnit() != "" {
		return verdict{again: restarts(s, monitor.StatusFailed)}
	}
	if status, told := toldEnd(run); told {
		return verdict{again: restarts(s, status)}
	}
	if run.Phase() != places.PhaseReady {
		// The start has failed, as that of any service whose process is killed before it is up. Else the end has been
		// decided before.
		return verdict{again: starting && restartsKilled(s)}
	}
	return verdict{keep: lives, again: true}
}

// restartsKilled reports whether systemd would start the unit again after a signal that is no orderly end.
func restartsKilled(s *config.Sandbox) bool {
	return slices.Contains([]string{"always", "on-failure", "on-abnormal", "on-abort"}, s.Restart)
}

// toldEnd returns the exit status that the container has told its monitor of; false where it has not told that it ends.
func toldEnd(run places.RunDir) (status int, told bool) {
	text, err := os.ReadFile(filepath.Join(run.Path(), monitor.Told))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text), 10, 8)
	return int(n), err == nil
}

// restarts reports whether systemd would start the unit again after an exit status of the monitor, by the directives
// that package units writes. What a config says of statuses in [service] does not count.
func restarts(s *config.Sandbox, status int) bool {
	good := status == 0
	switch {
	case s.Generic():
		good = good || status == 143
	case status == monitor.StatusReboot, status == monitor.StatusFailed && s.OnFailure == config.OnFailureRestart:
		return true
	}
	switch s.Restart {
	case "always":
		return true
	case "on-success":
		return good
	case "on-failure":
		return !good
	}
	return false
}

const (
	// maxLosses is how many monitors of one container may be killed within lossPeriod. systemd's own limit of starts
	// would leave a container that nobody watches.
	maxLosses  = 10
	lossPeriod = time.Minute

	lossesFile = "losses"
)

// noteLoss records that a monitor was killed, and returns how many were within lossPeriod.
func noteLoss(run places.RunDir, now time.Time) (recent int, err error) {
	file := filepath.Join(run.Path(), lossesFile)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("count lost monitors: %w", err)
	}
	kept := []string{strconv.FormatInt(now.Unix(), 10)}
	for _, one := range strings.Fields(string(before)) {
		seconds, err := strconv.ParseInt(one, 10, 64)
		if age := now.Sub(time.Unix(seconds, 0)); err == nil && age >= 0 && age <= lossPeriod {
			kept = append(kept, one)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Join(kept, " ")), 0o600); err != nil {
		return 0, fmt.Errorf("count lost monitors: %w", err)
	}
	return len(kept), nil
}
