package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/enter"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// LogOptions choose what is shown of a journal, as those of journalctl(1) do.
type LogOptions struct {
	Follow       bool
	Lines        int // the last ones; negative: all
	Unit         string
	Since, Until string
	Priority     string
	Output       string // empty: short
}

// LogForms are the forms of journalctl(1) that Output can be: text for a person or a script.
func LogForms() []string {
	return []string{
		"short", "short-full", "short-iso", "short-iso-precise", "short-precise", "short-monotonic", "short-unix",
		"with-unit", "verbose", "json", "json-pretty", "cat",
	}
}

// arguments gives the options as those of journalctl, each in one word.
func (o LogOptions) arguments() ([]string, error) {
	args := []string{"--no-pager", "--quiet"}
	if o.Follow {
		args = append(args, "--follow")
	}
	if o.Lines >= 0 {
		args = append(args, "--lines="+strconv.Itoa(o.Lines))
	}
	if o.Unit != "" {
		unit := unitname.Complete(o.Unit)
		if err := config.CheckUnit(unit); err != nil {
			return nil, &OptionError{Err: fmt.Errorf("-u: %w", err)}
		}
		args = append(args, "--unit="+unit)
	}
	if o.Output != "" {
		if !slices.Contains(LogForms(), o.Output) {
			return nil, &OptionError{Err: fmt.Errorf("-o %q is not one of %s", o.Output, strings.Join(LogForms(), ", "))}
		}
		args = append(args, "--output="+o.Output)
	}
	for name, value := range map[string]string{"since": o.Since, "until": o.Until, "priority": o.Priority} {
		if value != "" {
			args = append(args, "--"+name+"="+value)
		}
	}
	return args, nil
}

// Logs shows the journal of a sandbox, or the console of one that runs a command, and returns the exit status of
// journalctl(1), which alone reads what root in the container may have made of its journal: inside of a container that is up,
// and without rights for one that is down.
func (m *Manager) Logs(ctx context.Context, name string, o LogOptions, stdout, stderr io.Writer) (int, error) {
	args, err := o.arguments()
	if err != nil {
		return 0, err
	}
	s, err := m.asStarted(name)
	if err != nil {
		return 0, err
	}
	out, warnings := &printableLines{out: stdout}, &printableLines{out: stderr}
	defer out.flush()
	defer warnings.flush()
	if s.Generic() {
		if o.Unit != "" {
			return 0, fmt.Errorf("%s runs a command and has no units; leave -u out", name)
		}
		return m.consoleOf(ctx, s, o, args, out, warnings)
	}
	_, err = m.controllerPID(s)
	if errors.Is(err, ErrNotRunning) {
		return m.journalOfStopped(ctx, s, o, args, out, warnings)
	}
	if err != nil {
		return 0, err
	}
	target, err := m.targetOf(s)
	if err != nil {
		return 0, fmt.Errorf("enter %s: %w", name, err)
	}
	status, err := enter.Run(ctx, target, enter.Command{
		Args: append([]string{"journalctl"}, args...), Environment: enter.Environment(s.Name), Stdout: out, Stderr: warnings,
	})
	return ended(ctx, status, err)
}

// ended is the outcome of a program that the end of the context ends too: that is how one stops to follow.
func ended(ctx context.Context, status int, err error) (int, error) {
	if ctx.Err() != nil {
		return 0, nil
	}
	return status, err
}

// journalOfStopped shows the journal of a sandbox that is down. One in an image cannot be started while that is read, so that
// nothing waits then for who takes the output.
func (m *Manager) journalOfStopped(ctx context.Context, s *config.Sandbox, o LogOptions, args []string, stdout, stderr io.Writer) (int, error) {
	if s.Image == "" {
		return journalBelow(ctx, s, args, stdout, stderr)
	}
	if o.Follow {
		return 0, fmt.Errorf("%s %w; start it to follow its journal", s.Name, ErrNotRunning)
	}
	release, err := m.holdContent(ctx, s)
	if err != nil {
		return 0, err
	}
	return spooled(stdout, stderr, release, func(stdout, stderr io.Writer) (int, error) {
		return journalBelow(ctx, s, args, stdout, stderr)
	})
}

// nobody is the user that owns nothing.
const nobody = 65534

// journalBelow reads the journal of a container that is down, as a user who may do nothing but that.
func journalBelow(ctx context.Context, s *config.Sandbox, args []string, stdout, stderr io.Writer) (int, error) {
	dir, err := content.OpenJournal(s)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s has no journal yet", s.Name)
	}
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	readers := uint32(nobody)
	if group, err := user.LookupGroup("systemd-journal"); err == nil {
		if id, err := strconv.ParseUint(group.Gid, 10, 32); err == nil {
			readers = uint32(id)
		}
	}
	// Its own link is the only way for that user to where the content lies.
	command := exec.CommandContext(ctx, "journalctl", append([]string{"--directory=/proc/self/fd/3"}, args...)...)
	command.ExtraFiles, command.Dir = []*os.File{dir}, "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: readers}}
	return runJournalctl(ctx, command, stdout, stderr)
}

func runJournalctl(ctx context.Context, command *exec.Cmd, stdout, stderr io.Writer) (int, error) {
	command.Stdout, command.Stderr = stdout, stderr
	err := command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	return ended(ctx, 0, err)
}

// consoleOf shows what a command said: in the host's journal, or in a file where systemd does not run.
func (m *Manager) consoleOf(ctx context.Context, s *config.Sandbox, o LogOptions, args []string, stdout, stderr io.Writer) (int, error) {
	if m.systemd.Booted() {
		args = append(args, "--unit="+s.HostUnit())
		return runJournalctl(ctx, exec.CommandContext(ctx, "journalctl", args...), stdout, stderr)
	}
	if o.Since != "" || o.Until != "" || o.Priority != "" || o.Output != "" {
		return 0, fmt.Errorf("without systemd the console of %s is kept without times; only -f and -n choose from it", s.Name)
	}
	file, err := os.Open(s.Content + "/" + content.ConsoleLog)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read console log: %w", err)
	}
	defer file.Close()
	if err := skipToLast(file, o.Lines); err != nil {
		return 0, fmt.Errorf("read console log: %w", err)
	}
	for {
		if _, err := io.Copy(stdout, file); err != nil {
			return 0, fmt.Errorf("read console log: %w", err)
		}
		if !o.Follow {
			return 0, nil
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// skipToLast moves in a file to where its last lines begin; a negative number is all.
func skipToLast(file *os.File, lines int) error {
	if lines < 0 {
		return nil
	}
	at, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	// The end of the last line begins none.
	for left, buffer := lines+1, make([]byte, 64<<10); at > 0; {
		part := buffer[:min(at, int64(len(buffer)))]
		at -= int64(len(part))
		if _, err := file.ReadAt(part, at); err != nil {
			return err
		}
		for i := len(part) - 1; i >= 0; i-- {
			if part[i] != '\n' {
				continue
			}
			if left--; left == 0 {
				_, err := file.Seek(at+int64(i)+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}

// printableLines passes lines on when they are whole, made harmless for a terminal.
type printableLines struct {
	out  io.Writer
	line []byte
}

// maxLine bounds what is kept of a line without an end.
const maxLine = 1 << 20

func (p *printableLines) Write(text []byte) (int, error) {
	p.line = append(p.line, text...)
	end := bytes.LastIndexByte(p.line, '\n') + 1
	if len(p.line) > maxLine {
		end = len(p.line)
	}
	if end > 0 {
		if _, err := io.WriteString(p.out, printable.Text(string(p.line[:end]))); err != nil {
			return 0, err
		}
		p.line = append(p.line[:0], p.line[end:]...)
	}
	return len(text), nil
}

func (p *printableLines) flush() {
	_, _ = io.WriteString(p.out, printable.Text(string(p.line)))
	p.line = nil
}
