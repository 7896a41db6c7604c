// SPDX-License-Identifier: Apache-2.0

package monitor

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/report"
)

// TestExitStatus reads messages one after the other; 7 is the status of an earlier one.
func TestExitStatus(t *testing.T) {
	cases := []struct {
		message string
		want    int
	}{
		{"EXIT_STATUS=0", 0}, {"EXIT_STATUS=3\n", 3}, {"EXIT_STATUS=255", 255}, {"EXIT_STATUS= ", 7},
		{"STATUS=bye\nEXIT_STATUS=4\nSTOPPING=1\n", 4}, {"EXIT_STATUS=4\nEXIT_STATUS=5", 5}, {"EXIT_STATUS=4\r\n", 4},
		{"", 7}, {"READY=1", 7}, {"STATUS=EXIT_STATUS=4", 7}, {"X_EXIT_STATUS=4", 7}, {"exit_status=4", 7},
		{"EXIT_STATUS=", 7}, {"EXIT_STATUS=256", 7}, {"EXIT_STATUS=-1", 7}, {"EXIT_STATUS=0x4", 7}, {"EXIT_STATUS=4 5", 7},
	}
	for _, c := range cases {
		got := 7
		report.Fields([]byte(c.message), func(name, value string) bool {
			got = exitStatus(name, value, got)
			return true
		})
		if got != c.want {
			t.Errorf("%q: got %d, want %d", c.message, got, c.want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	cases := []struct {
		numbers []string
		want    string
	}{
		{nil, "takes six descriptors"},
		{[]string{"3", "4", "5", "6", "7", "8", "15"}, "takes six descriptors"},
		{[]string{"900", "901", "902", "903", "904", "905", "15", "true", "9"}, "takes two descriptors"},
		{[]string{"900", "901", "902", "903", "904", "905", "15", "true", "906", "web", "id", "0"}, "invalid syntax"},
		{[]string{"900", "901", "902", "903", "904", "905", "15", "true", "906", "907", "web", "id", "0"}, "four words"},
		{[]string{"900", "901", "902", "903", "904", "905", "15", "true", "906", "907", "web", "id", "0", "x"},
			"invalid syntax"},
		{[]string{"900", "901", "902", "903", "904", "905", "15", "fail"}, "invalid syntax"},
		{[]string{"--help", "4", "5", "6", "7", "8", "15", "true"}, "invalid syntax"},
		{[]string{"900", "901", "902", "903", "904", "", "15", "true"}, "invalid syntax"},
		{[]string{"900", "901", "902", "903", "904", "-1", "15", "true"}, "invalid syntax"},
		{[]string{"900", "901", "902", "903", "904", "65536", "15", "true"}, "out of range"},
		{[]string{"900", "901", "902", "903", "904", "905", "TERM", "true"}, "invalid syntax"},
		{[]string{"900", "901", "902", "903", "904", "905", "65", "true"}, "out of range"},
	}
	for _, c := range cases {
		if files, err := Open(c.numbers); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, %v; want %s", c.numbers, files, err, c.want)
		}
	}
}

// TestOpen: the descriptors come in the order of Files, and no program that the monitor executed would inherit them.
func TestOpen(t *testing.T) {
	var numbers []string
	for range 6 {
		fd, err := unix.Open(t.TempDir(), unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, strconv.Itoa(fd))
	}
	files, err := Open(append(numbers, "15", "true"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range []*os.File{files.Controller, files.Console, files.Notify, files.Lock, files.Init, files.Runtime} {
		defer f.Close()
		if want := "descriptor " + numbers[i]; f.Name() != want {
			t.Errorf("file %d is %s, want %s", i, f.Name(), want)
		}
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("file %d: flags %#x, %v; want close-on-exec", i, flags, err)
		}
	}
}

// childVariable makes this program the process that stands for a container.
const childVariable = "MONITOR_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	cases := []struct {
		name     string
		messages []string
		want     string
	}{
		{"says nothing", nil, "status 0, error the container broke down: it ended without a shutdown"},
		{"is ready only", []string{"READY=1", "STATUS=Ready."}, "status 0, error the container broke down: it ended " +
			"without a shutdown"},
		{"is ready and ends", []string{"READY=1", "STOPPING=1"}, "status 0, error <nil>"},
		{"reboots", []string{"READY=1", "X_REBOOT=1\nSTOPPING=1", "STOPPING=1"}, "status 133, error <nil>"},
		{"reboots, as a newer systemd tells it", []string{"X_REBOOT=1\nSTOPPING=1", "EXIT_STATUS=0"},
			"status 133, error <nil>"},
		{"reboots, told first of the stop", []string{"STOPPING=1", "X_REBOOT=1\nSTOPPING=1"}, "status 133, error <nil>"},
		{"tells its status", []string{"READY=1", "EXIT_STATUS=3"}, "status 3, error <nil>"},
		{"tells it twice", []string{"EXIT_STATUS=3", "", "EXIT_STATUS=4", "STATUS=bye"}, "status 4, error <nil>"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("INVOCATION_ID", "")
			container := startContainer(t)
			dir := t.TempDir()
			var err error
			if container.files.Runtime, err = os.Open(dir); err != nil {
				t.Fatal(err)
			}
			defer container.files.Runtime.Close()
			out := make(lineWriter, 10)
			ended := make(chan string, 1)
			go func() {
				status, err := Run(container.files, out)
				ended <- fmt.Sprintf("status %d, error %v", status, err)
			}()
			if _, err := container.console.WriteString("hello\x1b\r\n"); err != nil {
				t.Fatal(err)
			}
			if got := <-out; got != "hello?\n" {
				t.Errorf("the console said %q", got)
			}
			for _, m := range c.messages {
				if _, err := container.notify.Write([]byte(m)); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case got := <-ended:
				t.Fatalf("Run returned while the container was up: %s", got)
			case <-time.After(50 * time.Millisecond):
			}
			container.end()
			if got := <-ended; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			// As whoever finds that this process was killed would read it.
			noted, err := os.ReadFile(dir + "/" + Told)
			if told := !strings.Contains(c.want, ErrBroken.Error()); told != (err == nil) ||
				told && !strings.HasPrefix(c.want, "status "+string(noted)+",") {
				t.Errorf("noted %q, %v", noted, err)
			}
		})
	}
}

// TestRunOfFailure: a unit that failed, and is not one of a shutdown, is told of once, in harmless words. In a unit the
// monitor ends at once, and else it asks the container for its end; unless a failure is to be ignored.
func TestRunOfFailure(t *testing.T) {
	const told = "web.service?[2J inside failed (signal)\n"
	for _, c := range []struct {
		name, invocation, message string
		failing                   bool
		want, said                string
	}{
		{"in a unit", "1", "X_FAILED=web.service\x1b[2J signal", true, "status 69, error <nil>", told},
		{"without one", "", "X_FAILED=web.service\x1b[2J signal", true, "status 69, error <nil>", told},
		{"ignored", "", "X_FAILED=web.service signal\nSTOPPING=1", false, "status 0, error <nil>", ""},
		{"in a shutdown", "", "STOPPING=1\nX_FAILED=web.service timeout", true, "status 0, error <nil>", ""},
		{"of another", "", "X_DEGRADED=x.service\nSTOPPING=1", true, "status 0, error <nil>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("INVOCATION_ID", c.invocation)
			t.Setenv("NOTIFY_SOCKET", "")
			container := startContainer(t)
			container.files.failing = c.failing
			dir := t.TempDir()
			var err error
			if container.files.Runtime, err = os.Open(dir); err != nil {
				t.Fatal(err)
			}
			defer container.files.Runtime.Close()
			out := &strings.Builder{}
			ended := make(chan string, 1)
			go func() {
				status, err := Run(container.files, out)
				ended <- fmt.Sprintf("status %d, error %v", status, err)
			}()
			for range 2 {
				if _, err := container.notify.Write([]byte(c.message)); err != nil {
					t.Fatal(err)
				}
			}
			if c.invocation == "" {
				time.Sleep(50 * time.Millisecond)
				container.end()
			}
			if got := <-ended; got != c.want || out.String() != c.said {
				t.Errorf("got %s, said %q; want %s, %q", got, out, c.want, c.said)
			}
			noted, _ := os.ReadFile(dir + "/" + Failed)
			if c.said != "" && string(noted) != "web.service?[2J" || c.said == "" && noted != nil {
				t.Errorf("noted %q", noted)
			}
		})
	}
}

// TestRunBoundsFlood: a console that never rests does not pass on whole, and the container's end is still noticed.
func TestRunBoundsFlood(t *testing.T) {
	container := startContainer(t)
	out := &strings.Builder{}
	ended := make(chan error, 1)
	go func() {
		_, err := Run(container.files, out)
		ended <- err
	}()
	const said = 512 << 10 // with what entries cost that is 22 MiB
	if _, err := container.console.Write(bytes.Repeat([]byte("flood\n"), said/6)); err != nil {
		t.Fatal(err)
	}
	if _, err := container.notify.Write([]byte("STOPPING=1")); err != nil {
		t.Fatal(err)
	}
	container.console.Close()
	for range 400 {
		if left, err := unix.IoctlGetInt(int(container.files.Console.Fd()), unix.TIOCINQ); err != nil || left == 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	container.end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "bytes of output were dropped") || out.Len() > said/4 {
		t.Errorf("%d bytes of %d pass", out.Len(), said)
	}
}

// TestHearUnread: what a container has told is heard however late somebody listens.
func TestHearUnread(t *testing.T) {
	container := startContainer(t)
	for _, message := range []string{"READY=1", "EXIT_STATUS=3"} {
		if _, err := container.notify.Write([]byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	told := listener{files: container.files, last: -1}
	told.hear(unread{container.files.Notify})
	if told.last != 3 {
		t.Errorf("heard %d", told.last)
	}
	container.end()
}

type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	if len(p) > 0 {
		w <- string(p)
	}
	return len(p), nil
}

// fakeContainer is a process, and the ends of the console and the socket that a container would have.
type fakeContainer struct {
	files   *Files
	console *os.File
	notify  net.Conn
	end     func()
}

func startContainer(t *testing.T) fakeContainer {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"=1")
	stdin, err := child.StdinPipe()
	check(err)
	check(child.Start())
	t.Cleanup(func() {
		stdin.Close()
		_ = child.Wait()
	})
	pidfd, err := unix.PidfdOpen(child.Process.Pid, 0)
	check(err)
	outside, inside, err := os.Pipe()
	check(err)
	sockets, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	check(err)
	sender := os.NewFile(uintptr(sockets[1]), "notify inside")
	connection, err := net.FileConn(sender)
	check(err)
	sender.Close()
	files := &Files{
		Controller: os.NewFile(uintptr(pidfd), "pidfd"), Console: outside,
		Notify: os.NewFile(uintptr(sockets[0]), "notify outside"),
	}
	t.Cleanup(func() {
		for _, f := range []io.Closer{files.Controller, files.Console, files.Notify, inside, connection} {
			f.Close()
		}
	})
	return fakeContainer{files, inside, connection, func() { stdin.Close() }}
}
