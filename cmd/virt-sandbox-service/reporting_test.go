// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/helper"
)

// printed returns what f writes to standard output.
func printed(t *testing.T, f func() error) (string, error) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout = file
	failure := f()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text), failure
}

// A verb says what became of one sandbox, of several, for scripts or not at all.
func TestEach(t *testing.T) {
	t.Setenv(config.DirVariable, t.TempDir())
	act := func(_ context.Context, d *done, _ io.Writer) error {
		if d.Name == "bad" {
			return errors.New("bad: is so")
		}
		d.Unit, d.text = "u@"+d.Name+".service", "Did "+d.Name+" with care\n"
		return nil
	}
	for _, test := range []struct {
		several many
		names   string
		want    string
		fails   bool
	}{
		{many{}, "a", "Did a with care\n", false},
		{many{}, "a a", "Did a with care\n", false},
		{many{}, "a b", "Did a\nDid b\n", false},
		{many{}, "bad", "", true},
		{many{}, "a bad", "Did a\n", true},
		{many{all: true}, "", "", false},
		{many{reporting: reporting{quiet: true}}, "a", "", false},
		{many{reporting: reporting{quiet: true}}, "a b", "", false},
		{many{reporting: reporting{asJSON: true}}, "a",
			"[\n  {\n    \"name\": \"a\",\n    \"unit\": \"u@a.service\"\n  }\n]\n", false},
		{many{reporting: reporting{asJSON: true}}, "bad",
			"[\n  {\n    \"name\": \"bad\",\n    \"error\": \"bad: is so\"\n  }\n]\n", true},
		{many{all: true, reporting: reporting{asJSON: true}}, "", "[]\n", false},
	} {
		test.several.jobs = 1
		got, err := printed(t, func() error {
			return test.several.each(t.Context(), helper.New(helper.Options{}), strings.Fields(test.names), "Did", act)
		})
		if got != test.want || (err != nil) != test.fails {
			t.Errorf("%+v of %q: %q, %v", test.several, test.names, got, err)
		}
	}
}

// Lines have the name of their sandbox, and one without an end takes no memory without end.
func TestNamedIsBounded(t *testing.T) {
	var out strings.Builder
	n := &named{name: "a", mu: new(sync.Mutex), out: &out}
	for range 100 {
		if _, err := n.Write([]byte(strings.Repeat("x", 1<<12))); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.rest) > maxNamed || !strings.HasPrefix(out.String(), "a: x") {
		t.Errorf("%d bytes are kept", len(n.rest))
	}
}

// Hard links count once, and what cannot be looked at has no size.
func TestDiskUsage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a", make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(dir+"/a", dir+"/b"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", dir+"/root"); err != nil {
		t.Fatal(err)
	}
	if got := diskUsage(t.Context(), dir); got == nil || *got < 1<<20 || *got > 3<<19 {
		t.Errorf("%v", got)
	}
	if got := diskUsage(t.Context(), dir+"/none"); got != nil {
		t.Errorf("of nothing: %d", *got)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if got := diskUsage(ended, dir); got != nil {
		t.Errorf("without time: %d", *got)
	}
	size := int64(3435973837)
	if got := freedText(&size); got != " (3.2G)" {
		t.Error(got)
	}
}

// What is waited for is told on one line, which goes at the end.
func TestTellWaiting(t *testing.T) {
	var out strings.Builder
	ticks := make(chan time.Time)
	end := tellWaiting(&out, "web1", func() string { return "waiting for a\x1b.service" }, ticks)
	for i := range 2 {
		ticks <- time.Now().Add(time.Duration(i+1) * time.Second)
	}
	end()
	const cleared = "\r\x1b[K"
	if got, want := out.String(), cleared+"web1: waiting for a?.service (1s)"+cleared+"web1: waiting for a?.service (2s)"+
		cleared; got != want {
		t.Errorf("%q", got)
	}
	out.Reset()
	tellWaiting(&out, "web1", func() string { return "" }, ticks)()
	if out.Len() > 0 {
		t.Errorf("%q of a start that takes no time", out.String())
	}
}

func TestSummary(t *testing.T) {
	states := func(list ...string) (rows []helper.Row) {
		for _, state := range list {
			rows = append(rows, helper.Row{Status: helper.Status{State: state}})
		}
		return rows
	}
	for want, rows := range map[string][]helper.Row{
		"No sandboxes":                       nil,
		"1 sandbox: 1 running":               states("running"),
		"3 sandboxes: 2 stopped, 1 running":  states("stopped", "running", "stopped"),
		"2 sandboxes: 1 running, 1 starting": states("starting", "running"),
	} {
		if got := summary(rows); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A config that was put in place by hand has no content before its first start.
func TestNeverStarted(t *testing.T) {
	store := config.Store{Dir: t.TempDir()}
	content := t.TempDir()
	for name, place := range map[string]string{"new": content + "/none", "old": content} {
		text := "[sandbox]\nformat=1\nname=" + name + "\nunit=httpd.service\ncontent=" + place + "\n"
		if err := os.WriteFile(store.Path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"new": true, "old": false, "absent": false} {
		if got := neverStarted(store, name); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
