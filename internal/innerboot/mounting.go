// SPDX-License-Identifier: Apache-2.0

package innerboot

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// Bind is a place inside that is shown at another one.
type Bind struct {
	Source, Target string
	ReadOnly       bool
	// InMemory says that the source is an empty directory below /run that is not there yet.
	InMemory bool
}

// linkDir is where a directory of links to sockets lies for each unit and place that a socket is shown at.
const linkDir = "/run/virt-sandbox-links"

// mount has a unit start without mounts of its own. Errors: one that would see another tree of files than it is made
// for.
func (f *fitter) mount(to *Fitting, u *unitfile.Unit) error {
	if f.mayMount() || !u.NeedsMounts() {
		return nil
	}
	if directive := u.OtherRoot(); directive != "" && !u.IsChroot() {
		return unmountable(directive+"=", "which no unit of this container can make")
	}
	d := unitMounting{Fitting: to, fitter: f, unit: u}
	if err := d.binds(); err != nil {
		return err
	}
	d.memory()
	if names := u.Words("LogNamespace"); len(names) > 0 {
		d.lines += "LogNamespace=\n"
		d.note("LogNamespace=%s is left out: it logs to the container's journal", names[len(names)-1])
	}
	to.put(u.Name+".d/"+mountingDropIn, "# No unit of this container can mount.\n"+d.section()+d.lines)
	return nil
}

// mayMount reports whether units of the container can mount.
func (f *fitter) mayMount() bool { return !f.denied && f.granted["CAP_SYS_ADMIN"] }

// unmountable is the error of an assignment that would have a unit see another tree of files.
func unmountable(assignment, why string) error {
	return fmt.Errorf("%s needs a mount, %s", assignment, why)
}

// unitMounting is the part of one unit.
type unitMounting struct {
	*Fitting
	*fitter
	unit  *unitfile.Unit
	lines string // of the drop-in
}

func (d *unitMounting) note(format string, args ...any) {
	d.Fitting.note(d.unit, format, args...)
}

func (d *unitMounting) section() string {
	if strings.HasSuffix(d.unit.Name, ".socket") {
		return "[Socket]\n"
	}
	return "[Service]\n"
}

// binds has what the unit would see at another place be there for the whole container. Where that would hide what
// others see there, it is refused.
func (d *unitMounting) binds() error {
	binds := d.unit.BindPaths()
	if len(binds) > 0 {
		d.lines += "BindPaths=\n" // Forgets those of BindReadOnlyPaths= too.
	}
	for _, b := range binds {
		switch {
		case !isPlain.MatchString(b.Source + b.Target):
			return unmountable(b.String(), "and such a path cannot be one that is made for the whole container")
		case isSocket(b.Source):
			if err := d.link(b); err != nil {
				return err
			}
			continue
		case isMadeLater(b.Source):
			return unmountable(b.String(), "and what it shows is there only when the container is up")
		case isFixed(b.Target) || pathname.IsWithin(b.Target, b.Source) || pathname.IsWithin(b.Source, b.Target):
			return unmountable(b.String(), "and none can be made there for the whole container")
		case !d.isVacant(b.Target, "", d.isNew):
			return unmountable(b.String(), fmt.Sprintf("which for the whole container would hide %s", b.Target))
		case b.Optional && !d.exists(b.Source):
			continue
		}
		d.Binds = append(d.Binds, Bind{Source: b.Source, Target: b.Target, ReadOnly: b.ReadOnly})
		d.note("%s is made for the whole container, since no unit of it can mount", b)
	}
	return nil
}

// link shows a socket that is made only when the container is up at another place: a directory of /run is shown there,
// in which the unit makes a hard link to it before it starts. A symbolic link would lead nowhere in a chroot.
func (d *unitMounting) link(b unitfile.BindPath) error {
	dir, base := path.Split(b.Target)
	dir = path.Clean(dir)
	if isFixed(dir) || pathname.IsWithin("/run", dir) {
		return unmountable(b.String(), "and none can be made there for the whole container")
	}
	if !d.isVacant(dir, base, d.isNew) {
		return unmountable(b.String(), fmt.Sprintf("which for the whole container would hide what is in %s", dir))
	}
	at := slices.IndexFunc(d.Binds, func(other Bind) bool { return other.InMemory && other.Target == dir })
	if at < 0 {
		at = len(d.Binds)
		d.Binds = append(d.Binds, Bind{
			Source: fmt.Sprintf("%s/%d", linkDir, at), Target: dir, InMemory: true,
		})
	}
	failing := "+"
	if b.Optional {
		failing = "-+"
	}
	d.lines += fmt.Sprintf("ExecStartPre=%s/bin/ln -fL %s %s/%s\n", failing, b.Source, d.Binds[at].Source, base)
	d.note("%s is a link that it makes when it starts, since no unit of this container can mount", b)
	return nil
}

// memory has empty file systems of the unit's be there for the whole container. One that would only hide something from
// the unit is left out, as systemd itself leaves out what is to protect a unit.
func (d *unitMounting) memory() {
	places := d.unit.TemporaryFileSystems()
	if len(places) > 0 {
		d.lines += "TemporaryFileSystem=\n"
	}
	for _, place := range places {
		usable := isPlain.MatchString(place) && !isFixed(place) && !isMadeLater(place)
		if !usable || d.isPrivate(place) || !d.isVacant(place, "", pathname.IsWithin(place, "/etc")) {
			if usable {
				d.Dirs = append(d.Dirs, place)
			}
			d.note("TemporaryFileSystem=%s is left out: it sees what is there, since no unit of this container can mount", place)
			continue
		}
		if !slices.Contains(d.Memory, place) {
			d.Memory = append(d.Memory, place)
		}
		d.note("TemporaryFileSystem=%s is made for the whole container, since no unit of it can mount", place)
	}
}

// isPrivate reports whether content may lie at a place, or below it.
func (d *unitMounting) isPrivate(p string) bool {
	return slices.ContainsFunc(d.sandbox.Private, func(private config.PrivatePath) bool {
		return pathname.IsWithin(p, private.Path) || pathname.IsWithin(private.Path, p)
	})
}

// isPlain matches paths that mean themselves in a unit file and on a command line of one.
var isPlain = regexp.MustCompile(`^[A-Za-z0-9/._@:+-]*$`)

// isSocket reports whether a source is, by its place or name, a socket that the systemd of a container or one of its
// services makes.
func isSocket(source string) bool {
	source = strings.TrimPrefix(source, "/var")
	if source == "/dev/log" || pathname.IsWithin(source, "/run/systemd") {
		return true
	}
	return pathname.IsWithin(source, "/run") && (strings.HasSuffix(source, ".sock") || strings.HasSuffix(source, "socket"))
}

// isMadeLater reports whether a place is empty until the container's systemd runs, or is none to mount at.
func isMadeLater(p string) bool {
	return pathname.IsWithin(p, "/run", "/var/run", "/tmp", "/dev", "/proc", "/sys")
}

// isFixed reports whether a place is of all the container's.
func isFixed(p string) bool {
	fixed := []string{"/", "/usr", "/var", "/etc", "/run", "/run/host", "/run/systemd", "/etc/systemd/system", "/var/lib"}
	return slices.Contains(fixed, p) || pathname.IsWithin(p, "/dev", "/proc", "/sys")
}

func (d *unitMounting) exists(p string) bool {
	_, err := os.Stat(string(d.root) + p)
	return err == nil
}

// isVacant reports whether there is nothing at a path that a mount would hide: nothing at all, an empty file, or a
// directory with nothing but an entry of one name. Of the container's own directories that can only be told as long as
// its content is new, and as the host has them.
func (d *unitMounting) isVacant(p, but string, isNew bool) bool {
	isOwn := slices.ContainsFunc([]string{"/var", "/home", "/root", "/srv", "/etc", "/run"}, func(top string) bool {
		return pathname.IsWithin(p, top)
	})
	info, err := os.Stat(string(d.root) + p)
	if err != nil || isOwn && !isNew {
		return true
	}
	if !info.IsDir() {
		return info.Mode().IsRegular() && info.Size() == 0
	}
	entries, err := os.ReadDir(string(d.root) + p)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() != but })
}
