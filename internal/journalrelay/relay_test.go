// SPDX-License-Identifier: Apache-2.0

package journalrelay

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const machineID = "0123456789abcdef0123456789abcdef"

// relayed is a content with a directory for a journal, and what was passed on of it.
type relayed struct {
	t       *testing.T
	content string
	source  Source
	sent    chan string
}

func newRelayed(t *testing.T) *relayed {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can become nobody")
	}
	r := &relayed{t: t, content: t.TempDir(), sent: make(chan string, 100_000)}
	if err := os.MkdirAll(r.journal(), 0o755); err != nil {
		t.Fatal(err)
	}
	r.source = Source{
		Sandbox: "box", Dir: Kept(machineID), Readers: Nobody, Since: time.UnixMicro(1000), Units: []string{"web.service"},
	}
	return r
}

func (r *relayed) journal() string { return filepath.Join(r.content, "var/log/journal", machineID) }

func (r *relayed) start() *Relay {
	r.t.Helper()
	var err error
	if r.source.Content, err = os.OpenFile(r.content, unix.O_PATH|unix.O_DIRECTORY, 0); err != nil {
		r.t.Fatal(err)
	}
	if r.source.Place, err = os.OpenFile(r.content+"/place", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { r.source.Place.Close() })
	return r.source.start(func(fields []field) error {
		r.sent <- fields[0].value
		return nil
	})
}

// all returns what was passed on until a relay has ended.
func (r *relayed) all(relay *Relay) []string {
	r.t.Helper()
	begun := time.Now()
	relay.Finish(20 * time.Second)
	if took := time.Since(begun); took > 15*time.Second {
		r.t.Errorf("the end took %v", took)
	}
	var all []string
	for len(r.sent) > 0 {
		all = append(all, <-r.sent)
	}
	return all
}

// reader puts a shell script in the place of journalctl: what a reader says that damaged files have taken over.
func (r *relayed) reader(script string) {
	r.t.Helper()
	dir := r.t.TempDir()
	for d := dir; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			break
		}
	}
	if err := os.WriteFile(dir+"/journalctl", []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.t.Setenv("PATH", dir+":/usr/bin:/bin")
}

// numbered says what comes after the cursor that is asked for, of as many entries as a file says.
const numbered = `last=0
for a; do case $a in --after-cursor=i=*) last=${a#--after-cursor=i=};; esac; done
n=$(cat /proc/self/fd/3/count)
while [ $last -lt $n ]; do
last=$((last+1)); printf '__CURSOR=i=%d\n__REALTIME_TIMESTAMP=%d\nMESSAGE=m%d\n\n' $last $((last+2000)) $last
done
`

func (r *relayed) count(n int) {
	r.t.Helper()
	if err := os.WriteFile(r.journal()+"/count", fmt.Appendln(nil, n), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// TestRelayPassesOnOnce: each entry is passed on soon, also what is written last, and none twice by the next relay.
func TestRelayPassesOnOnce(t *testing.T) {
	r := newRelayed(t)
	r.reader(numbered)
	r.count(2)
	relay := r.start()
	for _, want := range []string{"m1", "m2"} {
		if got := <-r.sent; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	r.count(3)
	select {
	case got := <-r.sent:
		if got != "m3" {
			t.Errorf("got %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Error("a change is not heard")
	}
	r.count(5)
	if got := strings.Join(r.all(relay), " "); got != "m4 m5" {
		t.Errorf("at the end there came %s", got)
	}
	r.count(6)
	if got := strings.Join(r.all(r.start()), " "); got != "m6" {
		t.Errorf("the next one passed on %s", got)
	}
}

// TestReaderHasNoRights: a reader that a container has taken over has nothing, and is one of nobody's.
func TestReaderHasNoRights(t *testing.T) {
	r := newRelayed(t)
	t.Setenv("SECRET", "secret")
	r.reader(`s() { printf '__CURSOR=%s\n__REALTIME_TIMESTAMP=9000000\nMESSAGE=%s\n\n' "$1" "$*"; }
s user $(id -u); s cap $(grep -c 'Cap[IPEA].*:.0*$' /proc/self/status); 
s net $(grep -c : /proc/self/net/dev); s pid $$; s env $SECRET; s args "$@"
`)
	got := strings.Join(r.all(r.start()), "\n")
	for _, want := range []string{"user 65534", "cap 4", "net 1", "pid 1", "env\n"} {
		if !strings.Contains(got+"\n", want) {
			t.Errorf("without %q:\n%s", want, got)
		}
	}
	if !strings.Contains(got, "--since=@0.001000") || !strings.Contains(got, "--unit=web.service") {
		t.Errorf("it is asked for %s", got)
	}
}

// TestHostileReader: whatever a reader says, and however long, what passes is bounded and the end comes.
func TestHostileReader(t *testing.T) {
	const entry = `printf '__CURSOR=i=%d\n__REALTIME_TIMESTAMP=%d\nMESSAGE=%s\n\n' $i $((i+2000)) $m`
	for name, c := range map[string]struct {
		script  string
		atLeast int
		atMost  int
	}{
		"silence": {"exec sleep 60", 0, 0},
		"noise":   {"exec cat /dev/zero", 0, 0},
		// What passes of that is that it was dropped.
		"a long message": {
			"printf '__CURSOR=i=1\\n__REALTIME_TIMESTAMP=2000\\nMESSAGE='; exec tr '\\0' a </dev/zero", 1, 2,
		},
		"no cursor":    {"i=1; m='hi'; printf 'MESSAGE=a\n\n'; printf '__CURSOR=--file=/etc/passwd\nMESSAGE=b\n\n'", 0, 0},
		"a failure":    {"i=1; m=hi; " + entry + "; exit 1", 1, 2},
		"an old entry": {"i=-1500; m=hi; " + entry, 0, 0},
		"a flood": {
			"i=1; m=$(head -c 3000 /dev/zero | tr '\\0' a); while :; do i=$((i+1)); " + entry + "; done", 300, 720,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelayed(t)
			r.reader(c.script)
			relay := r.start()
			time.Sleep(100 * time.Millisecond)
			got := r.all(relay)
			if len(got) < c.atLeast || len(got) > c.atMost {
				t.Errorf("%d entries pass, want %d to %d; the first are %.300q", len(got), c.atLeast, c.atMost, got)
			}
			if name == "a flood" && !strings.Contains(got[len(got)-1], "messages of box were dropped") {
				t.Errorf("the last is %.100q", got[len(got)-1])
			}
		})
	}
}

// TestHostileFiles: the journalctl of this machine reads what is no journal, and the relay goes on.
func TestHostileFiles(t *testing.T) {
	for name, spoil := range map[string]func(r *relayed) error{
		"garbage": func(r *relayed) error {
			return os.WriteFile(r.journal()+"/system.journal", []byte("LPKSHHRH"+strings.Repeat("\xff", 1<<16)), 0o644)
		},
		"a pipe": func(r *relayed) error { return unix.Mkfifo(r.journal()+"/system.journal", 0o644) },
		"a link": func(r *relayed) error { return os.Symlink("/dev/zero", r.journal()+"/system.journal") },
		"a directory that is a link": func(r *relayed) error {
			return link(r, "/var/log/journal/"+machineID)
		},
		"a link that leads out": func(r *relayed) error { return link(r, "../../../../..") },
		"a directory that is a pipe": func(r *relayed) error {
			return errorsOf(os.Remove(r.journal()), unix.Mkfifo(r.journal(), 0o666))
		},
		"none": func(r *relayed) error { return os.RemoveAll(r.content + "/var") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelayed(t)
			if err := spoil(r); err != nil {
				t.Fatal(err)
			}
			if got := r.all(r.start()); len(got) > 0 {
				t.Errorf("passed on %q", got)
			}
		})
	}
}

func link(r *relayed, to string) error {
	return errorsOf(os.Remove(r.journal()), os.Symlink(to, r.journal()))
}

func errorsOf(list ...error) error {
	for _, err := range list {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestDirectoryComesBack: a journal that is removed and made anew is passed on again.
func TestDirectoryComesBack(t *testing.T) {
	r := newRelayed(t)
	r.reader(numbered)
	r.count(1)
	relay := r.start()
	<-r.sent
	if err := os.RemoveAll(r.journal()); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.journal(), 0o755); err != nil {
		t.Fatal(err)
	}
	r.count(2)
	select {
	case <-r.sent:
	case <-time.After(20 * time.Second):
		t.Error("nothing comes any more")
	}
	r.all(relay)
}

// TestIdle: a relay of a journal that says nothing reads once, and no more.
func TestIdle(t *testing.T) {
	r := newRelayed(t)
	r.reader("echo x >>" + r.content + "/reads\nexit 0\n")
	if err := os.WriteFile(r.content+"/reads", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(r.content+"/reads", 0o666); err != nil {
		t.Fatal(err)
	}
	for d := r.content; d != filepath.Clean(os.TempDir()) && d != "/"; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755)
	}
	relay := r.start()
	time.Sleep(2500 * time.Millisecond)
	text, err := os.ReadFile(r.content + "/reads")
	if err != nil || string(text) != "x\n" {
		t.Errorf("it read %q, %v", text, err)
	}
	r.all(relay)
}

// TestPlace: a place is read as it was written, over a longer one too, and anything else is none.
func TestPlace(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/place")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range []place{{"s=1;" + strings.Repeat("a", 300), 17}, {"i=2", 3}} {
		if err := writePlace(f, p); err != nil {
			t.Fatal(err)
		}
		if got := readPlace(f); got != p {
			t.Errorf("got %v, want %v", got, p)
		}
	}
	for _, text := range []string{"", "x", "1 --file=/etc", "-1 a", "1 a b", strings.Repeat("1", 600)} {
		if err := os.WriteFile(f.Name(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readPlace(f); got != (place{}) {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// TestBudget: what passes in an hour is bounded, and what says little passes.
func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	b, passed := newBudget(now), 0
	for range 3600 * 10 {
		now = now.Add(time.Second / 10)
		for range 20 {
			if b.takesAt(now, 1000) {
				passed += 1000 + entryCost
			}
		}
	}
	if most := burst + 3601*rate; passed > most || passed < most*9/10 {
		t.Errorf("%d bytes pass, %d may", passed, most)
	}
	if !b.nextTelling().IsZero() {
		t.Error("nothing was dropped")
	}
	b.dropped, b.told = 1, now
	if got := b.nextTelling(); got != now.Add(tellEvery) {
		t.Errorf("told at %v", got)
	}
}

// TestJournald: an entry is one datagram, and a journald that was started anew, or takes nothing, is no end.
func TestJournald(t *testing.T) {
	name := t.TempDir() + "/socket"
	listen := func() *net.UnixConn {
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	host := listen()
	j := &journald{socket: name}
	for range 2 {
		if err := j.send([]field{{"MESSAGE", "a\nPRIORITY=0"}, {"PRIORITY", "6"}}); err != nil {
			t.Fatal(err)
		}
		buffer := make([]byte, 1000)
		n, err := host.Read(buffer)
		want := "MESSAGE\n\x0c\x00\x00\x00\x00\x00\x00\x00a\nPRIORITY=0\nPRIORITY\n\x01\x00\x00\x00\x00\x00\x00\x006\n"
		if err != nil || string(buffer[:n]) != want {
			t.Errorf("got %q, %v", buffer[:n], err)
		}
		host.Close()
		os.Remove(name)
		host = listen()
	}
	defer host.Close()
	begun := time.Now()
	var err error
	for range 10_000 {
		if err = j.send([]field{{"MESSAGE", "a"}}); err != nil {
			break
		}
	}
	if took := time.Since(begun); err == nil || took > 5*sendLimit {
		t.Errorf("where nobody reads: %v after %v", err, took)
	}
}

// TestIsVolatile: what lies below /run of a container ends with it.
func TestIsVolatile(t *testing.T) {
	for dir, want := range map[string]bool{Kept(machineID): false, Volatile(machineID): true} {
		if got := (&Source{Dir: dir}).IsVolatile(); got != want {
			t.Errorf("%s is volatile: %t", dir, got)
		}
	}
	if (*Source)(nil).IsVolatile() {
		t.Error("none is volatile")
	}
}
