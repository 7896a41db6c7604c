// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wall is what keeps root inside from the host, beside namespaces, capabilities and the filter of system calls, which
// every container has. Each is to hold alone.
type wall string

const (
	plain    wall = "plain"
	mapped   wall = "idmap"
	apparmor wall = "AppArmor"
	selinux  wall = "SELinux"
)

func walls() []wall { return []wall{plain, mapped, apparmor, selinux} }

// attempt is one thing that root inside tries. It does no harm where it succeeds.
type attempt struct {
	name  string
	tries string // what it tries, in words, for the table
	fast  bool   // make test makes it too
	// unwalled is set where SELinux and AppArmor have no part in it: it is made on the native rig alone, since it has so
	// many verbs that emulated machines take half an hour.
	unwalled bool
	// inside is executed in the container, by a process of its own. It returns nil where it got what it wanted, else what
	// refused it.
	inside func(*facts) error
	// refusals are errors that are as good as those of usual.
	refusals []error
	// host is executed on the host, in place of inside or after it has succeeded: it returns nil where root inside got
	// what it wanted, else what it found instead.
	host func(*testing.T, *box) error
	// remains says for walls that do not hold it why that is so.
	remains map[wall]string
}

// usual are the refusals that count for every attempt: it was forbidden, or what it needs is not there.
func usual() []error {
	return []error{
		unix.EPERM, unix.EACCES, unix.EROFS, unix.ENOENT, unix.ENOSYS, unix.ENXIO, unix.ENODEV, unix.ECONNREFUSED,
		unix.EAFNOSUPPORT,
	}
}

// facts are what attempts inside know of the host.
type facts struct {
	Abstract string   // a stream socket of the host without a file
	Port     int      // of the host's 127.0.0.1 that accepts
	Shm      int      // a segment of shared memory that everybody may attach
	Key      int      // a key that everybody may read
	Marker   string   // in the arguments of a process of the host
	Device   uint64   // the host's disk, or another block device
	Secrets  []string // files of the host's root
	Planted  string   // a block device that somebody outside made in the content
}

// answer is how an attempt inside ended.
type answer struct {
	Name    string
	Got     bool
	Refusal string
	Odd     bool // it is none of the refusals that count
}

// insideMain is what the tests' binary does inside a container: "all FACTS NAME…" makes the attempts, each by "one
// FACTS NAME", and prints an answer for each.
func insideMain(args []string) error {
	if len(args) == 2 && args[0] == "do" {
		return do(args[1])
	}
	if len(args) < 3 {
		return errors.New("usage: all|one FACTS NAME…, do NAME")
	}
	var f facts
	if err := json.Unmarshal([]byte(args[1]), &f); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	for _, name := range args[2:] {
		if args[0] == "all" {
			if err := out.Encode(makeApart(args[1], name)); err != nil {
				return err
			}
			continue
		}
		i := slices.IndexFunc(attempts(), func(a attempt) bool { return a.name == name })
		if i < 0 || attempts()[i].inside == nil {
			return fmt.Errorf("there is no attempt %q", name)
		}
		a := attempts()[i]
		err := a.inside(&f)
		got := answer{Name: name, Got: err == nil}
		if err != nil {
			got.Refusal = reason(err)
			counts := func(e error) bool { return errors.Is(err, e) }
			got.Odd = !slices.ContainsFunc(append(usual(), a.refusals...), counts)
		}
		return out.Encode(got)
	}
	return nil
}

// reason is the errno of an error where it has one.
func reason(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return unix.ErrnoName(number)
	}
	return err.Error()
}

func makeApart(f, name string) answer {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// By its own name: /proc/self/exe would keep the program's.
	command := exec.CommandContext(ctx, os.Args[0], "one", f, name)
	command.Stderr, command.WaitDelay = io.Discard, time.Second
	out, err := command.Output()
	var a answer
	if json.Unmarshal(out, &a) == nil {
		return a
	}
	return answer{Name: name, Refusal: fmt.Sprintf("ended: %v", err), Odd: true}
}

// everywhere is a reason why no wall holds something.
func everywhere(reason string) map[wall]string {
	reasons := make(map[wall]string)
	for _, w := range walls() {
		reasons[w] = reason
	}
	return reasons
}

// errNotGot is for attempts that are refused without an errno.
var errNotGot = errors.New("nothing")

// attempts are all of them.
func attempts() []attempt {
	return slices.Concat(mountAttempts(), namespaceAttempts(), kernelAttempts(), privilegeAttempts(), deviceAttempts(),
		hostAttempts(), sharedAttempts(), verbAttempts(), networkAttempts(), socketAttempts(), callAttempts(),
		exhaustAttempts(), contentAttempts(), firstAttempts())
}

// call makes a system call with numbers.
func call(number uintptr, args ...uintptr) error {
	args = append(args, make([]uintptr, 6)...)
	_, _, errno := unix.Syscall6(number, args[0], args[1], args[2], args[3], args[4], args[5])
	if errno != 0 {
		return errno
	}
	return nil
}

// opens tries to open a file; it is neither read nor written.
func opens(file string, flags int) func(*facts) error {
	return func(*facts) error {
		fd, err := unix.Open(file, flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
}

// reads tries to read something from a file; an empty one has nothing.
func reads(file string) func(*facts) error {
	return func(*facts) error {
		fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		buffer := make([]byte, 8)
		n, err := unix.Read(fd, buffer)
		if err == nil && n == 0 {
			return errNotGot
		}
		return err
	}
}
