// SPDX-License-Identifier: Apache-2.0

package places

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/virt-sandbox/virt-sandbox/internal/account"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

// Phase is how far a running container is; "" where none runs.
type Phase string

// The phases, in their order.
const (
	PhaseStarting Phase = "starting"
	PhaseReady    Phase = "ready"
	PhaseStopping Phase = "stopping"
)

// IsBetween reports whether a container is neither down nor up.
func (p Phase) IsBetween() bool { return p == PhaseStarting || p == PhaseStopping }

// stateFormat is the number of the format of the state file. A container outlives the programs that started it: each
// version reads what all before it wrote, and one raises the number when what it writes means something else to them.
const stateFormat = 1

// ErrNewer says that a run belongs to a later version of the programs.
var ErrNewer = errors.New("a later version of virt-sandbox started the container; install that again, or stop the " +
	"container")

// State is what is known of one run. Only who holds the lock on the sandbox's name changes it.
type State struct {
	Format int       `json:"format,omitempty"` // 0 as 1: the first versions did not say it
	Phase  Phase     `json:"phase"`
	Since  time.Time `json:"since"` // when that phase began
	// Owner is the run of a unit that the container belongs to (systemd.exec(5), INVOCATION_ID); empty where no unit
	// runs it.
	Owner string `json:"owner,omitempty"`
	// Frozen is the cgroup that a verb has frozen, or is about to; empty for none.
	Frozen string `json:"frozen,omitempty"`
	// Admission is what the container may be entered with; nil before that is known.
	Admission *enter.Admission `json:"admission,omitempty"`
}

const stateFile = "state.json"

// State returns the state of the run; the zero value where none is, and where a later version wrote it.
func (d RunDir) State() State {
	data, err := os.ReadFile(filepath.Join(d.path, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return d.stateOfSeveralFiles()
	}
	var s State
	if err != nil || json.Unmarshal(data, &s) != nil || s.Format > stateFormat {
		return State{}
	}
	return s
}

// Seen returns the state of the run for who may not be allowed to read it. Errors: fs.ErrPermission for one who is not;
// ErrNewer.
func (d RunDir) Seen() (State, error) {
	for _, name := range []string{stateFile, "phase"} {
		f, err := os.Open(filepath.Join(d.path, name))
		if err == nil {
			f.Close()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return State{}, fmt.Errorf("look at the run of %s: %w", d.Name(), err)
		}
	}
	if _, err := d.KnownPhase(); err != nil {
		return State{}, fmt.Errorf("look at the run of %s: %w", d.Name(), err)
	}
	return d.State(), nil
}

// KnownPhase returns how far the container is. Errors: ErrNewer, which Phase takes for a container that does not run.
func (d RunDir) KnownPhase() (Phase, error) {
	data, err := os.ReadFile(filepath.Join(d.path, stateFile))
	var s struct {
		Format int `json:"format"`
	}
	if err == nil && json.Unmarshal(data, &s) == nil && s.Format > stateFormat {
		return "", ErrNewer
	}
	return d.Phase(), nil
}

// Phase returns how far the container is.
func (d RunDir) Phase() Phase { return d.State().Phase }

// Update changes the state in one step: a reader sees it as it was or as it is.
// Preconditions: the caller holds the lock on the sandbox's name.
func (d RunDir) Update(change func(*State)) error {
	if _, err := d.KnownPhase(); err != nil {
		return fmt.Errorf("record the state of the run: %w", err)
	}
	s := d.State()
	before := s.Phase
	change(&s)
	s.Format = stateFormat
	if s.Phase != before {
		s.Since = time.Now().UTC()
	}
	data, err := json.Marshal(s)
	if err == nil {
		err = d.writeState(data)
	}
	if err != nil {
		return fmt.Errorf("record the state of the run: %w", err)
	}
	return nil
}

// writeState writes the file in one step, for root and account.Readers to read.
func (d RunDir) writeState(data []byte) error {
	file, err := renameio.NewPendingFile(filepath.Join(d.path, stateFile), renameio.WithTempDir(d.path),
		renameio.WithPermissions(0o600), renameio.IgnoreUmask())
	if err != nil {
		return err
	}
	defer func() { _ = file.Cleanup() }()
	if _, err := file.Write(data); err != nil {
		return err
	}
	if err := account.ShareOpen(file.File); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}

// SetPhase records how far the container is.
func (d RunDir) SetPhase(p Phase) error { return d.Update(func(s *State) { s.Phase = p }) }

// NoteStopping sets the phase of a container that has one. Where nothing is left to stop, it records nothing. warn is
// told where the note cannot be written, as where /run is full: that keeps nobody from a stop.
func (d RunDir) NoteStopping(warn func(format string, args ...any)) {
	if d.Phase() == "" {
		return
	}
	if err := d.SetPhase(PhaseStopping); err != nil {
		warn("stopping %s without a note of that: %v", d.Name(), err)
	}
}

// Own records that the container belongs to the run of a unit which this process is of.
func (d RunDir) Own() error {
	return d.Update(func(s *State) { s.Owner = os.Getenv("INVOCATION_ID") })
}

// IsForeign reports whether the container belongs to another run of a unit than this process does.
func (d RunDir) IsForeign() bool {
	owner := d.State().Owner
	return owner != "" && owner != os.Getenv("INVOCATION_ID")
}

// stateOfSeveralFiles reads the state as versions before 1 of format state.json kept it, for containers that were
// started by one of them and still run.
func (d RunDir) stateOfSeveralFiles() State {
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(d.path, name))
		if err != nil {
			return ""
		}
		return string(data)
	}
	s := State{Phase: Phase(read("phase")), Owner: read("owner"), Frozen: read("frozen")}
	if info, err := os.Stat(filepath.Join(d.path, "phase")); err == nil {
		s.Since = info.ModTime().UTC()
	}
	var a enter.Admission
	if text := read("admission.json"); text != "" && json.Unmarshal([]byte(text), &a) == nil {
		s.Admission = &a
	}
	return s
}
