// SPDX-License-Identifier: Apache-2.0

package contentcheck

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/content"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/hosttest"
)

const (
	ownLabel   = "system_u:object_r:container_file_t:s0:c1,c2"
	otherLabel = "system_u:object_r:container_file_t:s0:c3,c4"
)

// labelledHost is a host with SELinux and a content whose files all have the sandbox's label. The kernel keeps labels
// without SELinux too; only root may set them.
func labelledHost(t *testing.T, tree map[string]string) (content.Host, *config.Sandbox) {
	t.Helper()
	h := content.Host{Root: hosttest.Root(t, map[string]string{"/sys/fs/selinux/enforce": "1"})}
	s := config.New("box")
	s.Content, s.Security.Level = h.Root+"/content", "s0:c1,c2"
	hosttest.Add(t, s.Content, tree)
	err := filepath.WalkDir(s.Content, func(p string, _ os.DirEntry, err error) error {
		return errors.Join(err, unix.Lsetxattr(p, filetree.LabelAttribute, []byte(ownLabel), 0))
	})
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOTSUP) {
		t.Skipf("labels cannot be set here: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return h, s
}

// mislabel gives a file another label, "" for none.
func mislabel(t *testing.T, file, label string) {
	t.Helper()
	err := unix.Lremovexattr(file, filetree.LabelAttribute)
	if label != "" {
		err = unix.Lsetxattr(file, filetree.LabelAttribute, []byte(label), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func labelAt(t *testing.T, file string) string {
	t.Helper()
	label := make([]byte, 64<<10)
	n, err := unix.Lgetxattr(file, filetree.LabelAttribute, label)
	if errors.Is(err, unix.ENODATA) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(label[:n])
}

// lines returns the findings of a check, below the content.
func lines(t *testing.T, h content.Host, s *config.Sandbox, fix bool) []string {
	t.Helper()
	findings, err := Labels(context.Background(), h, s, fix)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, f := range findings {
		found = append(found, strings.ReplaceAll(f.String(), s.Content, ""))
	}
	return found
}

func TestCheckFindsAndFixes(t *testing.T) {
	tree := map[string]string{
		"/etc/d.conf": "", "/srv/link": "-> /outside", "/var/www/page": "", "/var/www/deep/er/page": "", "/var/empty/": "",
	}
	cases := []struct {
		name   string
		change map[string]string // labels by path
		want   []string
	}{
		{"nothing", nil, nil},
		{"another level", map[string]string{"/var/www/page": otherLabel}, []string{
			"/var/www/page: label " + otherLabel + ", wanted " + ownLabel}},
		{"another type", map[string]string{"/etc/d.conf": "system_u:object_r:etc_t:s0:c1,c2"}, []string{
			"/etc/d.conf: label system_u:object_r:etc_t:s0:c1,c2, wanted " + ownLabel}},
		{"another user", map[string]string{"/etc/d.conf": "unconfined_u:object_r:container_file_t:s0:c1,c2"}, nil},
		{"the kernel's NUL", map[string]string{"/etc/d.conf": ownLabel + "\x00"}, nil},
		{"no label", map[string]string{"/var/empty": ""}, []string{"/var/empty: label none, wanted " + ownLabel}},
		{"a link, not what it leads to", map[string]string{"/srv/link": otherLabel}, []string{
			"/srv/link: label " + otherLabel + ", wanted " + ownLabel}},
		{
			"the top, and in the order of paths",
			map[string]string{"/var/www/deep/er/page": "x", "": "y", "/var/www/deep": "z"},
			[]string{
				": label y, wanted " + ownLabel, "/var/www/deep: label z, wanted " + ownLabel, "/var/www/deep/er/page: label x, " +
					"wanted " + ownLabel},
		},
		{"tricks", map[string]string{"/etc/d.conf": "a\n/etc/shadow: \x1b[2J"}, []string{
			`/etc/d.conf: label "a\n/etc/shadow: \x1b[2J", wanted ` + ownLabel}},
		{"a long one", map[string]string{"/etc/d.conf": "a:b:" + strings.Repeat("c", 3000)}, []string{
			"/etc/d.conf: label a:b:" + strings.Repeat("c", 3000) + ", wanted " + ownLabel}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, s := labelledHost(t, tree)
			outside := h.Root + "/outside"
			hosttest.Add(t, h.Root, map[string]string{"/outside": ""})
			for p, label := range c.change {
				mislabel(t, s.Content+p, label)
			}
			if got := lines(t, h, s, false); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			for p, label := range c.change {
				if got := labelAt(t, s.Content+p); got != label {
					t.Errorf("%s has been changed to %q without being asked", p, got)
				}
			}
			var fixed []string
			for _, line := range c.want {
				fixed = append(fixed, line+", fixed")
			}
			if got := lines(t, h, s, true); !slices.Equal(got, fixed) {
				t.Errorf("fixed\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(fixed, "\n"))
			}
			if got := lines(t, h, s, false); got != nil {
				t.Errorf("after that: %q", got)
			}
			if got := labelAt(t, outside); got != "" {
				t.Errorf("what a link leads to got the label %s", got)
			}
		})
	}
}

// TestCheckLeavesMarksAlone: the kernel labels what stands for a deleted file, and what it works with.
func TestCheckLeavesMarksAlone(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/etc/deleted": "", "/etc/f": "", "/.virt-sandbox/etc-work/work/": ""})
	hosttest.Edit(t, s.Content, "/etc/deleted", "whiteout")
	for _, p := range []string{"/etc/deleted", "/etc/f", "/.virt-sandbox/etc-work/work"} {
		if err := unix.Lsetxattr(s.Content+p, filetree.LabelAttribute, []byte(otherLabel), 0); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"/etc/f: label " + otherLabel + ", wanted " + ownLabel}
	if got := lines(t, h, s, false); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCheckSaysWhatCannotBeFixed: one file that cannot does not keep the others from it.
func TestCheckSaysWhatCannotBeFixed(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/a": "", "/b": "", "/c": ""})
	for _, p := range []string{"/a", "/b", "/c"} {
		mislabel(t, s.Content+p, otherLabel)
	}
	immutable, err := os.Open(s.Content + "/b")
	if err != nil {
		t.Fatal(err)
	}
	defer immutable.Close()
	if err := unix.IoctlSetPointerInt(int(immutable.Fd()), unix.FS_IOC_SETFLAGS, unix.STATX_ATTR_IMMUTABLE); err != nil {
		t.Skipf("no file can be made immutable here: %v", err)
	}
	defer func() { _ = unix.IoctlSetPointerInt(int(immutable.Fd()), unix.FS_IOC_SETFLAGS, 0) }()
	line := ": label " + otherLabel + ", wanted " + ownLabel
	want := []string{"/a" + line + ", fixed", "/b" + line + ", cannot be fixed: operation not permitted", "/c" + line +
		", fixed"}
	if got := lines(t, h, s, true); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestCheckStaysInTheTree: what is mounted in it is not its own, even of the same file system.
func TestCheckStaysInTheTree(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/srv/dumps/": "", "/srv/own": ""})
	hosttest.Add(t, h.Root, map[string]string{"/backup/dump": ""})
	if err := unix.Mount(h.Root+"/backup", s.Content+"/srv/dumps", "", unix.MS_BIND, ""); err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	defer func() { _ = unix.Unmount(s.Content+"/srv/dumps", unix.MNT_DETACH) }()
	mislabel(t, s.Content+"/srv/own", otherLabel)
	if got := lines(t, h, s, true); len(got) != 1 || !strings.HasPrefix(got[0], "/srv/own: ") {
		t.Errorf("got %q", got)
	}
	if got := labelAt(t, h.Root+"/backup/dump"); got != "" {
		t.Errorf("what is mounted got the label %s", got)
	}
}

// TestCheckOfManyFiles finds each of them once, and all of a directory of which others are being read.
func TestCheckOfManyFiles(t *testing.T) {
	tree := make(map[string]string)
	for i := range 60 {
		for j := range 20 {
			tree[fmt.Sprintf("/var/%d/%d/%d", i%7, i, j)] = ""
		}
	}
	h, s := labelledHost(t, tree)
	var want []string
	for p := range tree {
		mislabel(t, s.Content+p, otherLabel)
		want = append(want, s.Content+p)
	}
	slices.Sort(want)
	findings, err := Labels(context.Background(), h, s, true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, f.Path)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d findings, want %d", len(got), len(want))
	}
}

// TestCheckOfDeepTree: what root inside makes cannot have a check take as much memory as it likes.
func TestCheckOfDeepTree(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/var/top/": ""})
	dir, err := os.OpenRoot(s.Content + "/var/top")
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 200)
	const below = filetree.MaxDepth + 500
	for range below {
		if err := dir.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := dir.OpenRoot(name)
		dir.Close()
		if err != nil {
			t.Fatal(err)
		}
		dir = next
	}
	dir.Close()
	t.Cleanup(func() {
		// Too long for one path.
		if out, err := exec.Command("find", s.Content, "-delete").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	findings, err := Labels(context.Background(), h, s, false)
	if err != nil {
		t.Fatal(err)
	}
	labels, deep := 0, 0
	for _, f := range findings {
		switch f.Problem {
		case ProblemLabel:
			labels++
		case ProblemDepth:
			deep++
			if !strings.Contains(f.String(), "is not looked into") {
				t.Errorf("%v", f)
			}
		}
	}
	// The directories were made without labels; /var/top has two above it.
	if labels != filetree.MaxDepth-1 || deep != 1 {
		t.Errorf("%d labels and %d too deep, want %d and 1", labels, deep, filetree.MaxDepth-1)
	}
}

// TestCheckAgainstRootInside: a directory that is exchanged for a link to the host's all the time leads nobody there.
func TestCheckAgainstRootInside(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/var/dir/file": "", "/var/link": "-> ../../host"})
	hosttest.Add(t, h.Root, map[string]string{"/host/file": ""})
	mislabel(t, s.Content+"/var/dir/file", otherLabel)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 3000 {
			if err := unix.Renameat2(unix.AT_FDCWD, s.Content+"/var/dir", unix.AT_FDCWD, s.Content+"/var/link",
				unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		lines(t, h, s, true)
	}
	if got := labelAt(t, h.Root+"/host/file"); got != "" {
		t.Errorf("a file of the host got the label %s", got)
	}
	if got := labelAt(t, h.Root+"/host"); got != "" {
		t.Errorf("a directory of the host got the label %s", got)
	}
}

func TestCheckEnds(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/var/file": ""})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Labels(ctx, h, s, false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	s.Content += "/no-such"
	want := "check content of box: open " + s.Content + ": no such file or directory"
	if _, err := Labels(context.Background(), h, s, false); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestNothingToCheck: without SELinux, or a label that is known beforehand, no label is wrong.
func TestNothingToCheck(t *testing.T) {
	h, s := labelledHost(t, map[string]string{"/file": ""})
	mislabel(t, s.Content+"/file", otherLabel)
	dynamic := *s
	dynamic.Security.Mode = config.SecurityDynamic
	if got := lines(t, h, &dynamic, true); got != nil {
		t.Errorf("dynamic: %q", got)
	}
	if err := os.Remove(h.Root + "/sys/fs/selinux/enforce"); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, h, s, true); got != nil {
		t.Errorf("without SELinux: %q", got)
	}
}

func TestCheckTop(t *testing.T) {
	cases := []struct {
		name, mislabelled, want string // paths; "-" for none
	}{
		{"all right", "-", "-"},
		{"the directory", "", ""},
		{"a private path", "/etc/d", "/etc/d"},
		{"a private file", "/var/lib/file", "/var/lib/file"},
		{"a file below one is not looked at", "/etc/d/deep", "-"},
		{"a link that took the place of a private path", "/srv/link", "-"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h, s := labelledHost(t, map[string]string{"/etc/d/deep": "", "/var/lib/file": "", "/srv/link": "-> /outside"})
			hosttest.Add(t, h.Root, map[string]string{"/outside/x": ""})
			for _, p := range []string{"/etc/d", "/var/lib/file", "/var/lib/gone", "/srv/link/x"} {
				s.Private = append(s.Private, config.PrivatePath{Path: p, Origin: "admin"})
			}
			if c.mislabelled != "-" {
				mislabel(t, s.Content+c.mislabelled, otherLabel)
			}
			finding, err := TopLabels(h, s)
			got := "-"
			if finding != nil {
				got = strings.TrimPrefix(finding.Path, s.Content)
			}
			if err != nil || got != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

// TestPrepareLeavesLabels: what is in complete content keeps the label that it has.
func TestPrepareLeavesLabels(t *testing.T) {
	h := content.Host{Root: hosttest.Root(t, nil)}
	s := box(t)
	prepare(t, h, s)
	bad := s.Content + "/var/lib/bad"
	if err := os.WriteFile(bad, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Lsetxattr(bad, filetree.LabelAttribute, []byte(otherLabel), 0); err != nil {
		t.Skipf("labels cannot be set here: %v", err)
	}
	prepare(t, h, s)
	if got := labelAt(t, bad); got != otherLabel {
		t.Errorf("its label has become %s", got)
	}
}

// TestListIsBounded: a tree of nothing but faults fills no memory, and it is said that there are more.
func TestListIsBounded(t *testing.T) {
	var l list
	const most = maxKept >> 12
	for range 2 * most {
		l.add(Finding{Path: strings.Repeat("x", 4096), Problem: ProblemDepth})
	}
	got := l.sorted("/content")
	last := got[len(got)-1]
	if len(got) > most || last.Problem != ProblemContent || !strings.Contains(last.Detail, "more findings") {
		t.Errorf("%d findings, the last %+v", len(got), last)
	}
}
