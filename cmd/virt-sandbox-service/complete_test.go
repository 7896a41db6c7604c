// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/unitfile"
)

// complete has the program complete the last of some words, as the shells' scripts do.
func complete(t *testing.T, words ...string) (offers []string, directive string) {
	t.Helper()
	command := rootOfTest(t)
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetErr(&bytes.Buffer{})
	command.SetArgs(append([]string{"__completeNoDesc"}, words...))
	if err := command.Execute(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

func TestComplete(t *testing.T) {
	store := config.Store{Dir: t.TempDir()}
	t.Setenv(config.DirVariable, store.Dir)
	for _, name := range []string{"web1", "web2", "db1"} {
		text := "[sandbox]\nformat=1\nname=" + name + "\nunit=httpd.service\nunit=sshd.service\n"
		if err := os.WriteFile(store.Path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// A name that is none must not reach a shell, and a legacy one can only be upgraded.
	for _, file := range []string{"$(reboot).sandbox", "README", "old/config/sandbox.cfg"} {
		file = filepath.Join(store.Dir, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("[api]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const files, nothingElse, noBlankNorElse, directories = ":0", ":4", ":6", ":16"
	all := []string{"db1", "web1", "web2"}
	cases := []struct {
		typed     string // words; the last one is completed
		want      []string
		directive string
	}{
		{"cl", []string{"clone"}, nothingElse},
		{"check ", all, nothingElse},
		{"clone ", all, nothingElse},
		{"clone web1 ", nil, nothingElse},
		{"connect we", []string{"web1", "web2"}, nothingElse},
		{"delete d", []string{"db1"}, nothingElse},
		{"disable ", all, nothingElse},
		{"edit ", all, nothingElse},
		{"enable ", all, nothingElse},
		{"execute ", all, nothingElse},
		{"execute web1 -- ", nil, files},
		{"export ", all, nothingElse},
		{"export web1 ", nil, files},
		{"import ", nil, files},
		{"import web1.tar ", nil, nothingElse},
		{"list ", all, nothingElse},
		{"list --state st", []string{"starting", "stopping", "stopped"}, nothingElse},
		{"logrotate web1 ", []string{"db1", "web2"}, nothingElse},
		{"logs ", all, nothingElse},
		{"logs web1 -u s", []string{"sshd.service"}, nothingElse},
		{"logs -p e", []string{"emerg", "err"}, nothingElse},
		{"logs -o c", []string{"cat"}, nothingElse},
		{"reload web1 -u ", []string{"httpd.service", "sshd.service"}, nothingElse},
		{"kill web1 -u ", []string{"httpd.service", "sshd.service"}, nothingElse},
		{"start ", all, nothingElse},
		{"status ", all, nothingElse},
		{"stop ", all, nothingElse},
		{"upgrade ", append(slices.Clone(all), "old"), nothingElse},
		{"upgrade old web2 ", []string{"db1", "web1"}, nothingElse},
		{"create ", nil, nothingElse},
		{"create job1 -- ", nil, files},
		{"create -N ", []string{"private", "host", "dhcp", "dhcp,source=", "source=", "bridge="}, nothingElse},
		{"create -N b", []string{"bridge="}, noBlankNorElse},
		{"create --network p", []string{"private"}, nothingElse},
		{"create -m ", []string{"host-bind:", "host-show:", "host-image:", "guest-bind:", "ram:"}, noBlankNorElse},
		{"create -m h", []string{"host-bind:", "host-show:", "host-image:"}, noBlankNorElse},
		{"create -l ", []string{"s0:c"}, noBlankNorElse},
		{"clone -s ", []string{"static,label=", "apparmor,profile="}, noBlankNorElse},
		{"create --image-format ", []string{"raw", "qcow2"}, nothingElse},
		{"create --image-fs ", []string{"ext4", "xfs"}, nothingElse},
		{"create --capabilities ", []string{"auto", "all"}, nothingElse},
		{"create --system-calls ", []string{"auto", "all"}, nothingElse},
		{"create --idmap ", []string{"auto", "none"}, nothingElse},
		{"create -p ", nil, directories},
		{"import -p ", nil, directories},
		{"-c ", []string{"lxc:///"}, nothingElse},
	}
	for _, c := range cases {
		t.Run(c.typed, func(t *testing.T) {
			got, directive := complete(t, strings.Split(c.typed, " ")...)
			if !slices.Equal(got, c.want) || directive != c.directive {
				t.Errorf("%q, %s, want %q, %s", got, directive, c.want, c.directive)
			}
		})
	}
}

// TestCompleteUnits compares what is offered for -u with the machine's units.
func TestCompleteUnits(t *testing.T) {
	want := unitfile.Root("").Names("systemd-")
	got, directive := complete(t, "create", "-u", "systemd-")
	if !slices.Equal(got, want) || directive != ":4" {
		t.Errorf("%q, %s, want %q", got, directive, want)
	}
}

// TestCompleteOptions looks for options whose argument would be completed as a file because nobody thought of it.
func TestCompleteOptions(t *testing.T) {
	root := rootOfTest(t)
	for _, c := range append(verbs(root), root) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, found := c.GetFlagCompletionFunc(f.Name); !found && f.NoOptDefVal == "" {
				t.Errorf("%s --%s has no completion", c.Name(), f.Name)
			}
		})
		if c.ValidArgsFunction == nil && c != root {
			t.Errorf("%s has no completion of arguments", c.Name())
		}
	}
}

// TestUsageErrors shows that mistakes in the command line are told from failures, so that they end with 2.
func TestUsageErrors(t *testing.T) {
	for _, line := range []string{
		"nosuch", "--nosuch", "-c qemu:///system list", "-c", "help nosuch", "completion", "completion nosuch",
		"completion bash more",
		"create", "create --nosuch x", "create -U many x", "create -u", "create --copy=perhaps x", "clone a", "clone a b c",
		"export", "export a b c", "import a b c", "start", "start --nosuch a", "stop", "reload", "enable", "disable",
		"enable --all a",
		"delete",
		"upgrade", "upgrade --all a", "logs", "logs --nosuch a", "status --all a", "list [", "edit",
		"check", "connect", "execute a",
		"execute --nosuch a -- b",
	} {
		command := rootOfTest(t)
		command.SetArgs(strings.Fields(line))
		command.SetOut(&bytes.Buffer{})
		var usage usageError
		if err := command.Execute(); !errors.As(err, &usage) {
			t.Errorf("%s: %v is no mistake of usage", line, err)
		}
	}
}

func TestVersion(t *testing.T) {
	command := rootOfTest(t)
	var out bytes.Buffer
	command.SetOut(&out)
	command.SetArgs([]string{"--version"})
	// The build of a test has no stamp, so this is what package version finds out by itself; its own tests have one.
	want := regexp.MustCompile(`^virt-sandbox-service version (\(devel\)|v[0-9].*|unknown)\n$`)
	if err := command.Execute(); err != nil || !want.MatchString(out.String()) {
		t.Errorf("%q, %v", out.String(), err)
	}
}
