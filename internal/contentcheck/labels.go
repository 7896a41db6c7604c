// SPDX-License-Identifier: Apache-2.0

// Package contentcheck looks for what is wrong with the content of a sandbox and changes nothing but labels, where that
// is asked for. In: content with its manifest, and the config; out: findings, each as one line for a person. The verb
// check and the start call it.
package contentcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/selinux/go-selinux"
	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/openat"
	"github.com/virt-sandbox/virt-sandbox/internal/pathname"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
	"github.com/virt-sandbox/virt-sandbox/internal/secontext"
)

// Problem is a kind of finding.
type Problem string

// The kinds of findings, as they are called in what check prints.
const (
	ProblemLabel    Problem = "label"    // a file whose SELinux label is not that of the sandbox
	ProblemDepth    Problem = "depth"    // a directory that lies too deep to be looked into
	ProblemMissing  Problem = "missing"  // a file of the manifest is gone
	ProblemType     Problem = "type"     // a file of the manifest is of another type by now
	ProblemContent  Problem = "content"  // the content as a whole is gone, or another's
	ProblemImage    Problem = "image"    // the file of an image or disk is gone, or too short
	ProblemConfig   Problem = "config"   // the config cannot be used
	ProblemUnit     Problem = "unit"     // the unit file on the host is not that of the config
	ProblemInside   Problem = "inside"   // a unit of a container that is up has failed
	ProblemLeftover Problem = "leftover" // a verb that was interrupted has left it
)

// Finding is something of a sandbox that is not as its config wants it.
type Finding struct {
	Sandbox string  `json:"name,omitempty"`
	Path    string  `json:"path"` // on the host
	Problem Problem `json:"problem"`
	Actual  string  `json:"actual"` // empty for none
	Wanted  string  `json:"wanted"`
	Detail  string  `json:"detail,omitempty"` // for a person; empty for a label
	Fixed   bool    `json:"fixed"`
	Error   string  `json:"error,omitempty"` // why it could not be fixed
}

// String is the finding as one line, whatever root in the container named the file.
func (f Finding) String() string {
	if f.Problem == ProblemDepth {
		return fmt.Sprintf("%s: %s: lies below %d directories, and is not looked into",
			printable.Quoted(f.Path), f.Problem, filetree.MaxDepth)
	}
	if f.Problem != ProblemLabel {
		return fmt.Sprintf("%s: %s: %s", printable.Quoted(f.Path), f.Problem, f.Detail)
	}
	text := fmt.Sprintf("%s: %s %s, wanted %s",
		printable.Quoted(f.Path), f.Problem, cmp.Or(printable.Quoted(f.Actual), "none"), f.Wanted)
	switch {
	case f.Fixed:
		text += ", fixed"
	case f.Error != "":
		text += ", cannot be fixed: " + f.Error
	}
	return text
}

// Labels compares the labels of all content with what the config wants, in the order of paths, and with fix sets them.
// The user of a label is left out, as by restorecon: it decides nothing, and is that of who made the file.
func Labels(ctx context.Context, h content.Host, s *config.Sandbox, fix bool) ([]Finding, error) {
	wanted := wantedLabel(h, s)
	if wanted == "" {
		return nil, nil
	}
	var mutex sync.Mutex
	var findings list
	add := func(f Finding) {
		mutex.Lock()
		defer mutex.Unlock()
		findings.add(f)
	}
	err := filetree.Walk(ctx, s.Content, func(fd int, at *filetree.Location) error {
		finding, err := checkLabel(fd, at, wanted)
		if finding == nil || err != nil || isKernels(s, fd, at) {
			return err
		}
		if fix {
			finding.fix(fd)
		}
		add(*finding)
		return nil
	}, func(at *filetree.Location) { add(Finding{Path: at.String(), Problem: ProblemDepth}) })
	if err != nil {
		return nil, fmt.Errorf("check content of %s: %w", s.Name, err)
	}
	return findings.sorted(s.Content), nil
}

// isKernels reports whether a file is one that the kernel makes where a container's /etc is laid over the host's, with
// a label of its own: what stands for a deleted file, and what it works with.
func isKernels(s *config.Sandbox, fd int, at *filetree.Location) bool {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) == nil && filetree.IsWhiteout(&stat) {
		return true
	}
	return pathname.IsBelow(at.String(), s.Content+"/"+filestate.EtcWork)
}

// maxKept bounds the paths of findings that are told, in bytes: root inside makes as many, and as long ones, as it
// likes.
const maxKept = 128 << 20

// list is findings of which there may be too many.
type list struct {
	kept []Finding
	left int // bytes of paths that are kept beside these
	more int // findings that are not kept
}

func (l *list) add(f Finding) {
	const beside = 256 // bytes of a finding beside its path
	if l.kept == nil {
		l.left = maxKept
	}
	if size := len(f.Path) + beside; l.more == 0 && size <= l.left {
		l.left -= size
		l.kept = append(l.kept, f)
		return
	}
	l.more++
}

// sorted returns those that are kept in the order of paths, and how many more there are as the last.
func (l *list) sorted(content string) []Finding {
	slices.SortFunc(l.kept, func(a, b Finding) int { return cmp.Compare(a.Path, b.Path) })
	if l.more > 0 {
		detail := fmt.Sprintf("%d more findings are not told", l.more)
		l.kept = append(l.kept, Finding{Path: content, Problem: ProblemContent, Detail: detail})
	}
	return l.kept
}

// TopLabels is Labels of the content directory and the private paths themselves, which costs nothing; it returns the
// first that it finds, nil for none.
func TopLabels(h content.Host, s *config.Sandbox) (*Finding, error) {
	wanted := wantedLabel(h, s)
	if wanted == "" {
		return nil, nil
	}
	top, err := unix.Open(s.Content, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("check content of %s: %w", s.Name, &os.PathError{Op: "open", Path: s.Content, Err: err})
	}
	defer unix.Close(top)
	if finding, err := checkLabel(top, &filetree.Location{Name: s.Content}, wanted); finding != nil || err != nil {
		return finding, err
	}
	for _, p := range s.Private {
		fd, err := openat.In(top, strings.TrimPrefix(p.Path, "/"))
		if fd < 0 {
			if err != nil {
				err = &os.PathError{Op: "open", Path: s.Content + p.Path, Err: err}
				return nil, fmt.Errorf("check content of %s: %w", s.Name, err)
			}
			continue
		}
		finding, err := checkLabel(fd, &filetree.Location{Name: s.Content + p.Path}, wanted)
		unix.Close(fd)
		if finding != nil || err != nil {
			return finding, err
		}
	}
	return nil, nil
}

// Sources returns which files of the host that the administrator mounts into the container it cannot use for their
// label.
func Sources(h content.Host, s *config.Sandbox) ([]Finding, error) {
	wanted := wantedLabel(h, s)
	if wanted == "" {
		return nil, nil
	}
	var findings []Finding
	for _, m := range s.Mounts {
		if !m.Kind.ShowsHostFiles() {
			continue
		}
		fd, err := unix.Open(m.Source, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err != nil {
			return findings, fmt.Errorf("check what is mounted: %w", &os.PathError{Op: "open", Path: m.Source, Err: err})
		}
		finding, err := checkLabel(fd, &filetree.Location{Name: m.Source}, wanted)
		unix.Close(fd)
		if err != nil {
			return findings, err
		}
		if finding != nil {
			findings = append(findings, *finding)
		}
	}
	return findings, nil
}

// wantedLabel is the label of all content, as the kernel writes it; "" where there is none to want.
func wantedLabel(h content.Host, s *config.Sandbox) string {
	label := s.FileLabel()
	if label == "" || !h.SELinux() {
		return ""
	}
	if h.Root == "" {
		if canonical, err := selinux.CanonicalizeContext(label); err == nil {
			return canonical
		}
	}
	return label
}

// checkLabel compares the label of the file that an O_PATH descriptor stands for; nil for one that is right.
func checkLabel(fd int, at *filetree.Location, wanted string) (*Finding, error) {
	actual, err := readLabel(fd)
	if err != nil {
		return nil, &os.PathError{Op: "read label of", Path: printable.Quoted(at.String()), Err: err}
	}
	if secontext.SameButUser(actual, wanted) {
		return nil, nil
	}
	return &Finding{Path: at.String(), Problem: ProblemLabel, Actual: actual, Wanted: wanted}, nil
}

// fix sets the label of the file that was checked, whatever has its name by now.
func (f *Finding) fix(fd int) {
	if err := unix.Setxattr(filetree.OwnLink(fd), filetree.LabelAttribute, []byte(f.Wanted), 0); err != nil {
		f.Error = err.Error()
		return
	}
	f.Fixed = true
}

// readLabel returns the label of a file, "" for none.
func readLabel(fd int) (string, error) {
	label := make([]byte, 256)
	n, err := unix.Getxattr(filetree.OwnLink(fd), filetree.LabelAttribute, label)
	if errors.Is(err, unix.ERANGE) {
		label = make([]byte, 64<<10) // the most that the kernel keeps, xattr(7)
		n, err = unix.Getxattr(filetree.OwnLink(fd), filetree.LabelAttribute, label)
	}
	if errors.Is(err, unix.ENODATA) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(label[:n]), "\x00"), nil
}
