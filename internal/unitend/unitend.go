// SPDX-License-Identifier: Apache-2.0

// Package unitend carries out what systemd asks of a container's unit that ends, in ExecStop= and ExecStopPost=. In:
// what systemd says of the end, and what the monitor noted; out: a container that has ended, or one that goes on since
// only its monitor was killed, with its unit started again. The verbs of package helper call it.
package unitend

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/hostsystemd"
	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// Systemd is the host's systemd, as far as it is needed here; a hostsystemd.Client is one.
type Systemd interface {
	Own(ctx context.Context) (hostsystemd.OwnUnit, error)
	StartAgain(ctx context.Context, unit hostsystemd.OwnUnit, uncounted bool) error
}

// Unit is the unit of one container.
type Unit struct {
	Name    string // of the sandbox
	Run     places.RunDir
	Systemd Systemd
	Warn    func(format string, args ...any)

	Started func() (*config.Sandbox, error)                     // what the container was started with
	Stop    func(ctx context.Context, spared func() bool) error // ends it, and removes what is left, unless spared
	Lives   func() (bool, error)                                // whether libvirt's process of the container does
	Journal func(s *config.Sandbox, unitInside string) string   // its last lines
}

// End stops the container, or leaves it alone where its unit only lost the monitor. last says that it is the last that
// systemd asks; then a unit whose process was killed is started again, which takes over a container that is up.
func (u Unit) End(ctx context.Context, last bool) error {
	asked := question()
	if asked.inUnit && u.Run.IsForeign() {
		// Another unit of this container runs it; ours has only found that out.
		return nil
	}
	if asked.inUnit && last && !asked.killed && u.isOver() {
		return nil
	}
	unit := hostsystemd.OwnUnit{Stopping: true}
	if asked.inUnit {
		var err error
		if unit, err = u.Systemd.Own(ctx); err != nil {
			u.Warn("cannot tell what systemd wants of the unit of %s: %v", u.Name, err)
			unit.Stopping = !asked.killed
		}
	}
	switch {
	case unit.Stopping || !asked.killed:
		u.tellFailure()
		return u.stop(ctx, last)
	case last:
		return u.endOfKilled(ctx, unit)
	}
	// It is decided at last, and once: what is noted of the run goes with the container.
	return nil
}

// isOver reports whether nothing is left of a run: its directory goes last.
func (u Unit) isOver() bool {
	if _, err := os.Lstat(u.Run.Path()); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	lives, err := u.Lives()
	return err == nil && !lives
}

// asked is what systemd tells who is asked to end a unit (systemd.exec(5)).
type asked struct {
	inUnit bool // whether it is systemd that asks
	killed bool // whether a signal ended the unit's main process that asks for no end in order
}

func question() asked {
	code := os.Getenv("EXIT_CODE")
	// What systemctl kill sends by default, and those like it, can come before the monitor has begun to heed them.
	inOrder := slices.Contains([]string{"TERM", "INT", "HUP"}, os.Getenv("EXIT_STATUS"))
	return asked{
		inUnit: os.Getenv("SERVICE_RESULT") != "",
		// MAINPID is set where it lives.
		killed: (code == "killed" && !inOrder || code == "dumped") && os.Getenv("MAINPID") == "",
	}
}

// stopFollows is how long after a kill of the monitor a stop is waited for.
const stopFollows = 500 * time.Millisecond

// endOfKilled is the end of a unit whose process was killed, and that nobody stops.
func (u Unit) endOfKilled(ctx context.Context, own hostsystemd.OwnUnit) error {
	s, err := u.Started()
	if err != nil {
		return u.stop(ctx, true)
	}
	// Without asking libvirt, which may be down.
	lives, err := u.Lives()
	if err != nil {
		return err
	}
	verdict := ofKilled(s, u.Run, lives, own.Starting)
	if verdict.keep && own.Queued {
		// As the command before this one has seen to. systemd calls a second in case that one is killed, too.
		return nil
	}
	if verdict.keep {
		losses, err := noteLoss(u.Run, time.Now())
		if err != nil || losses > maxLosses {
			u.Warn("ending %s: the process that watches it was killed %d times within %v", u.Name, losses, lossPeriod)
			return errors.Join(err, u.stop(ctx, true))
		}
		// Who kills it may want it down. A stop that comes before the start is queued keeps that from it, and the container
		// is ended; one that comes between it and the start, which is soon after, would only cancel the start.
		time.Sleep(stopFollows)
		u.Warn("%s goes on without the process that watched it; the next one takes it over", u.Name)
	} else {
		u.tellFailure()
		if err := u.stop(ctx, true); err != nil {
			return err
		}
	}
	if !verdict.again || u.Run.IsForeign() {
		return nil
	}
	if err := u.Systemd.StartAgain(ctx, own, verdict.keep); err != nil {
		// As when the host shuts down.
		return errors.Join(err, u.stop(ctx, true))
	}
	return nil
}

// tellFailure quotes what a unit that ended the container logged, as long as that can be read.
func (u Unit) tellFailure() {
	unit := u.Run.FailedUnit()
	if unit == "" {
		return
	}
	if s, err := u.Started(); err == nil {
		u.Warn("%s inside has failed; its journal says:\n%s", unit, u.Journal(s, unit))
	}
}

// stop ends the container. That there is none, and no sandbox, is no matter.
func (u Unit) stop(ctx context.Context, last bool) error {
	// Another unit may have begun to start the container after it was looked at.
	err := u.Stop(ctx, func() bool { return question().inUnit && u.Run.IsForeign() })
	if errors.Is(err, config.ErrNotFound) {
		return nil
	}
	var syntax *config.SyntaxError
	if last && errors.As(err, &syntax) {
		// The start has said so; there was nothing to end.
		return nil
	}
	return err
}
