// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// exhaustAttempts use up what the host has but once, or have its processes do nothing else.
func exhaustAttempts() []attempt {
	return []attempt{
		{name: "huge-pages", tries: "take the pages that the host has set aside for a machine", host: hugePages},
		{name: "fork-bomb", tries: "make processes until the host can make none", host: forkBomb},
		{name: "terminals", tries: "open terminals until the host has none", host: terminals},
		{name: "message-queues", tries: "use up the bytes of message queues of the host's root", host: messageQueues},
		{name: "monitor-busy", tries: "keep the monitor busy by messages that it notes", fast: true, host: monitorBusy},
	}
}

// holding has a program inside do something until the end of f, which is called once it has said how far it has come.
func (b *box) holding(t *testing.T, what string, f func(said string) error) error {
	t.Helper()
	command := exec.Command(program, "execute", b.name, "--", "/var/lib/"+insideProgram, "do", what)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Wait() }()
	said, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s inside says nothing: %v", what, err)
	}
	return f(strings.TrimSpace(said))
}

// hold is what a program inside says when it has done its part, and how long it then stays.
func hold(n int) error {
	fmt.Println(n)
	time.Sleep(10 * time.Second)
	return nil
}

func hugePages(t *testing.T, b *box) error {
	const file, some = "/proc/sys/vm/nr_hugepages", "8"
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	t.Cleanup(func() { _ = os.WriteFile(file, before, 0) })
	if err := os.WriteFile(file, []byte(some), 0); err != nil {
		return err
	}
	return b.holding(t, "take-huge-pages", func(said string) error {
		if said != "0" {
			t.Logf("root inside has %s huge pages", said)
			return nil
		}
		return errHeld
	})
}

// takeHugePages takes them by each call that gives some.
func takeHugePages() error {
	const size, sharedHuge = 2 << 20, 0o4000
	taken := 0
	const private = unix.MAP_PRIVATE | unix.MAP_ANON | unix.MAP_HUGETLB
	for range 64 {
		if memory, err := unix.Mmap(-1, 0, size, unix.PROT_WRITE, private); err == nil {
			memory[0] = 1
			taken++
		}
	}
	if fd, err := unix.MemfdCreate("t-attack", unix.MFD_HUGETLB); err == nil {
		if memory, err := unix.Mmap(fd, 0, size, unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
			memory[0] = 1
			taken++
		}
	}
	if id, err := unix.SysvShmGet(unix.IPC_PRIVATE, size, unix.IPC_CREAT|0o600|sharedHuge); err == nil {
		_, _ = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		taken++
	}
	fmt.Println(taken)
	return nil
}

func forkBomb(t *testing.T, b *box) error {
	return b.holding(t, "fork", func(said string) error {
		t.Logf("%s processes inside", said)
		if out, err := exec.Command("sh", "-c", "true; (true); echo fine").CombinedOutput(); err != nil {
			t.Logf("the host: %s, %v", out, err)
			return nil
		}
		if r := service(t, time.Minute, "status", b.name); r.timeout {
			return nil
		}
		// There is no room for it, but it ends.
		if r := service(t, time.Minute, "execute", b.name, "--", "true"); r.timeout {
			return nil
		}
		return errHeld
	})
}

// forkAll makes processes that sleep, as many as it may.
func forkAll() error {
	made := 0
	for {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			break
		}
		if pid == 0 {
			// Nothing of Go's may be called here.
			pause := unix.Timespec{Sec: 60}
			_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&pause)), 0, 0)
			_, _, _ = unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		made++
	}
	// They are of the group that execute gave this process.
	return errors.Join(hold(made), unix.Kill(0, unix.SIGKILL))
}

func terminals(t *testing.T, b *box) error {
	return b.holding(t, "open-terminals", func(said string) error {
		t.Logf("%s terminals inside", said)
		fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Logf("the host: %v", err)
			return nil
		}
		unix.Close(fd)
		return errHeld
	})
}

func openTerminals() error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)
	opened := 0
	for {
		if _, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY, 0); err != nil {
			break
		}
		opened++
	}
	return hold(opened)
}

func messageQueues(t *testing.T, b *box) error {
	return b.holding(t, "fill-queues", func(said string) error {
		t.Logf("%s message queues inside", said)
		if err := makeQueue("t-attack"); err != nil {
			t.Logf("the host: %v", err)
			return nil
		}
		name, err := unix.BytePtrFromString("t-attack")
		if err != nil {
			t.Fatal(err)
		}
		return errors.Join(call(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name))), errHeld)
	})
}

// makeQueue makes one of the usual size.
func makeQueue(name string) error {
	text, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	attributes := [8]int64{0, 10, 8192}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), unix.O_CREAT|unix.O_RDWR, 0o600,
		uintptr(unsafe.Pointer(&attributes)), 0, 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

func fillQueues() error {
	made := 0
	for makeQueue("t-attack-"+strconv.Itoa(made)) == nil {
		made++
	}
	return hold(made)
}

// monitorBusy measures what the monitors of the host take of a processor.
func monitorBusy(t *testing.T, b *box) error {
	return b.holding(t, "flood-degraded", func(string) error {
		const window = 4 * time.Second
		before := monitorTimes()
		time.Sleep(window)
		most := time.Duration(0)
		for file, took := range monitorTimes() {
			most = max(most, took-before[file])
		}
		t.Logf("a monitor took %v of %v", most, window)
		if most > window/3 {
			return nil
		}
		return errHeld
	})
}

// monitorTimes is what each monitor has taken of a processor so far.
func monitorTimes() map[string]time.Duration {
	times := make(map[string]time.Duration)
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if name, rest, found := strings.Cut(string(text), ") "); found && strings.Contains(name, "(virt-sandbox-se") {
			words := strings.Fields(rest)
			user, _ := strconv.Atoi(words[11])
			system, _ := strconv.Atoi(words[12])
			times[file] = time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	return times
}

// floodDegraded sends messages each of whose fields the monitor notes.
func floodDegraded() error {
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	text := strings.Repeat("X_DEGRADED=a\nX_HEALTH=healthy\nX_HEALTH=unhealthy\n", 21)
	fmt.Println("begun")
	for begun := time.Now(); time.Since(begun) < 7*time.Second; {
		if err := unix.Sendto(socket, []byte(text), 0, &unix.SockaddrUnix{Name: "/run/host/notify"}); err != nil {
			return err
		}
	}
	return nil
}
