// SPDX-License-Identifier: Apache-2.0

package places

import (
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
)

const initName = "virt-sandbox-init"

func made(t *testing.T, root Root, name string) RunDir {
	t.Helper()
	d := root.Of(name).Run()
	if err := d.Make(initName); err != nil {
		t.Fatal(err)
	}
	return d
}

// No two kinds of places, and no two sandboxes, share a path, and none lies outside the root.
func TestPlacesAreApart(t *testing.T) {
	root := Root("/root")
	seen := make(map[string]string)
	for _, name := range []string{"a", "b", "a.b", "a-b", "images-a", "start-a", "root-a", "one-shot"} {
		s := root.Of(name)
		for kind, path := range map[string]string{
			"run": s.Run().Path(), "one-shot": s.OneShot().Path(), "content": s.Content(), "raw": s.Image(config.FormatRaw),
			"qcow2": s.Image(config.FormatQCOW2), "tree": s.RootTree(), "images": s.Images(), "launch": s.Launch(7),
			"state": s.LibvirtState(".xml"), "log": s.LibvirtLog(),
		} {
			if other := seen[path]; other != "" {
				t.Errorf("%s of %s is %s of %s", path, name, kind, other)
			}
			seen[path] = kind + " of " + name
			if !strings.HasPrefix(path, "/root/") {
				t.Errorf("%s of %s is %s", kind, name, path)
			}
		}
	}
}

// What lies below the run directory is found again by name.
func TestNamesFound(t *testing.T) {
	root := Root(t.TempDir())
	if names, err := root.ImagesNames(); err != nil || len(names) > 0 {
		t.Errorf("on a host without any: got %v, %v", names, err)
	}
	web := root.Of("web")
	for _, dir := range []string{web.Images(), root.Of("web.2").Images(), web.Launch(12), web.Launch(9),
		root.Of("web.2").Launch(3)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	made(t, root, "web")
	made(t, root, "web2")
	names, err := root.ImagesNames()
	if err != nil || !slices.Equal(slices.Sorted(slices.Values(names)), []string{"web", "web.2"}) {
		t.Errorf("images: got %v, %v", names, err)
	}
	launches, err := web.Launches()
	if err != nil || !maps.Equal(launches, map[string]string{"12": web.Launch(12), "9": web.Launch(9)}) {
		t.Errorf("launches: got %v, %v", launches, err)
	}
	if n := root.Running(); n != 2 {
		t.Errorf("%d run", n)
	}
}

// The directory of a run goes with all that it has, and those above it with the last one.
func TestMakeAndRemove(t *testing.T) {
	root := Root(t.TempDir())
	stays, oneShot := root.Of("web").Run(), root.Of("once").OneShot()
	for _, d := range []RunDir{stays, oneShot, stays} {
		if err := d.Make(initName); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(d.Guest(), initName)); err != nil || info.Mode() != 0o755 {
			t.Errorf("the file to mount init over: %v, %v", info, err)
		}
		if info, err := os.Stat(d.Path()); err != nil || info.Mode().Perm() != 0o711 {
			t.Errorf("%s: %v, %v", d.Path(), info, err)
		}
	}
	for _, d := range []RunDir{oneShot, stays, stays} {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(root.RunBase()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left: %v", root.RunBase(), err)
	}
}

// Something that is made below the run directory is made again when the last container takes that away meanwhile.
func TestInRunBase(t *testing.T) {
	tries := 0
	err := InRunBase(func() error {
		if tries++; tries < 3 {
			return &fs.PathError{Op: "mkdir", Path: "x", Err: fs.ErrNotExist}
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("got %v after %d tries", err, tries)
	}
	tries = 0
	if err := InRunBase(func() error { tries++; return fs.ErrPermission }); !errors.Is(err, fs.ErrPermission) ||
		tries != 1 {
		t.Errorf("got %v after %d tries", err, tries)
	}
}

// The config that a container was started with is there until the run ends.
func TestRecorded(t *testing.T) {
	d := made(t, Root(t.TempDir()), "web")
	if _, err := d.Recorded(); !errors.Is(err, config.ErrNotFound) {
		t.Errorf("before it is recorded: %v", err)
	}
	s := config.New("web")
	s.Units, s.UUID = []string{"httpd.service"}, "0c7f6a0a-0000-4000-8000-000000000001"
	if err := d.Record(s); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Recorded(); err != nil || got.UUID != s.UUID {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestState(t *testing.T) {
	t.Setenv("INVOCATION_ID", "one")
	d := made(t, Root(t.TempDir()), "web")
	if s := d.State(); s != (State{}) {
		t.Errorf("a new run has %+v", s)
	}
	if d.NoteStopping(t.Errorf); d.Phase() != "" {
		t.Errorf("a stop of nothing: phase %q", d.Phase())
	}
	if err := errors.Join(d.SetPhase(PhaseStarting), d.Own()); err != nil {
		t.Fatal(err)
	}
	since := d.State().Since
	if since.IsZero() {
		t.Error("nothing says since when it starts")
	}
	a := enter.Admission{Init: enter.Process{PID: 7, Begun: 8}, Bounding: 9, Label: "l", Profile: "p", Filter: []byte{6}}
	if err := d.Update(func(s *State) { s.Admission, s.Frozen = &a, "/group" }); err != nil {
		t.Fatal(err)
	}
	s := d.State()
	if s.Phase != PhaseStarting || !s.Since.Equal(since) || s.Owner != "one" || s.Frozen != "/group" ||
		!reflect.DeepEqual(*s.Admission, a) {
		t.Errorf("got %+v, %+v", s, s.Admission)
	}
	if d.IsForeign() {
		t.Error("its own run is foreign")
	}
	t.Setenv("INVOCATION_ID", "two")
	if !d.IsForeign() {
		t.Error("another run is not foreign")
	}
	if d.NoteStopping(t.Errorf); d.Phase() != PhaseStopping || d.State().Since.Equal(since) {
		t.Errorf("after a stop: %+v", d.State())
	}
	entries, err := os.ReadDir(d.Path())
	if err != nil || len(entries) != 2 {
		t.Errorf("beside guest and state there is %v, %v", entries, err)
	}
	// What somebody has broken is no state, and does not stop a stop.
	if err := os.WriteFile(filepath.Join(d.Path(), stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := d.State(); s != (State{}) {
		t.Errorf("a broken file is read as %+v", s)
	}
}

// A container that a version with a file for each fact started is known to this one, which keeps the facts from then
// on.
func TestStateOfSeveralFiles(t *testing.T) {
	d := made(t, Root(t.TempDir()), "web")
	for name, text := range map[string]string{
		"phase": "ready", "owner": "one", "frozen": "/sys/fs/cgroup/x",
		"admission.json": `{"init":{"pid":5,"begun":6,"user_namespace":7},"bounding":8,"label":"l","profile":"p"}`,
	} {
		if err := os.WriteFile(filepath.Join(d.Path(), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, frozen string) {
		t.Helper()
		s := d.State()
		want := enter.Admission{
			Init:     enter.Process{PID: 5, Begun: 6, UserNamespace: 7},
			Bounding: 8,
			Label:    "l",
			Profile:  "p",
		}
		if s.Phase != PhaseReady || s.Owner != "one" || s.Frozen != frozen || s.Admission == nil ||
			!reflect.DeepEqual(*s.Admission, want) || s.Since.IsZero() {
			t.Errorf("%s: got %+v, %+v", when, s, s.Admission)
		}
	}
	check("as it was", "/sys/fs/cgroup/x")
	if err := d.Update(func(s *State) { s.Frozen = "" }); err != nil {
		t.Fatal(err)
	}
	check("after an update", "")
}

// A container that a later version started is refused, and its state stays as it is; one of the versions that did not
// say their format is known.
func TestStateOfAnotherVersion(t *testing.T) {
	d := made(t, Root(t.TempDir()), "web")
	file := filepath.Join(d.Path(), stateFile)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"format": 2, "phase": "ready", "more": true}`)
	if phase, err := d.KnownPhase(); phase != "" || !errors.Is(err, ErrNewer) {
		t.Errorf("a later version's is known: %q, %v", phase, err)
	}
	if d.NoteStopping(t.Errorf); d.Phase() != "" {
		t.Errorf("a stop: phase %q", d.Phase())
	}
	if err := d.SetPhase(PhaseReady); !errors.Is(err, ErrNewer) {
		t.Errorf("a later version's is changed: %v", err)
	}
	write(`{"phase": "ready"}`)
	if phase, err := d.KnownPhase(); phase != PhaseReady || err != nil {
		t.Errorf("an earlier version's is not known: %q, %v", phase, err)
	}
	if err := d.SetPhase(PhaseStopping); err != nil || d.State().Format != stateFormat {
		t.Errorf("after a change: %v, %+v", err, d.State())
	}
}

func TestMonitorLock(t *testing.T) {
	d := made(t, Root(t.TempDir()), "web")
	if has, err := d.HasMonitor(); has || err != nil {
		t.Errorf("without a monitor: %v, %v", has, err)
	}
	lock, err := d.LockMonitor()
	if err != nil || lock == nil {
		t.Fatalf("got %v, %v", lock, err)
	}
	if has, err := d.HasMonitor(); !has || err != nil {
		t.Errorf("with a monitor: %v, %v", has, err)
	}
	if stays, err := MonitorStays(d); !stays || err != nil {
		t.Errorf("one that stays: %v, %v", stays, err)
	}
	time.AfterFunc(20*time.Millisecond, func() { lock.Close() })
	if stays, err := MonitorStays(d); stays || err != nil {
		t.Errorf("one that ends: %v, %v", stays, err)
	}
	if has, err := d.HasMonitor(); has || err != nil {
		t.Errorf("after its end: %v, %v", has, err)
	}
}

// A socket takes the place of one that an earlier run left, for its owner alone.
func TestListen(t *testing.T) {
	d := made(t, Root(t.TempDir()), "web")
	owner := SocketOwner{UID: os.Getuid()}
	for range 2 {
		socket, err := d.ListenNotify(owner)
		if err != nil {
			t.Fatal(err)
		}
		listener, err := d.ListenConsole(owner, "console")
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(d.Notify()); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
		client, err := net.Dial("unixgram", d.Notify())
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		socket.Close()
		listener.SetUnlinkOnClose(false)
		listener.Close()
	}
}
