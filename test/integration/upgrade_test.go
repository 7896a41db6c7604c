// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// upgradeTree is what a version of the test's package has; "-> " begins the target of a link.
func upgradeTree(version int) map[string]string {
	text := fmt.Sprintf("version %d\n", version)
	tree := map[string]string{
		"/etc/vstup/environment":    "PORT=8021\n",
		"/etc/vstup/www/index.html": text,
		"/etc/vstup/same.conf":      "always the same\n",
		"/etc/vstup/follows.conf":   text,
		"/etc/vstup/edited.conf":    "always the same\n",
		"/etc/vstup/both.conf":      text,
		"/etc/vstup/removed.conf":   text,
		"/etc/vstup/on-host.conf":   text,
		"/etc/vstup/before.conf":    text,
		"/etc/vstup/link":           "-> same.conf",
	}
	state := "vstup"
	if version == 1 {
		tree["/etc/vstup/dropped.conf"] = text
	} else {
		state += " vstup-new"
		tree["/etc/vstup/link"] = "-> follows.conf"
		tree["/etc/vstup/new/new.conf"] = text
		tree["/etc/vstup-new/new.conf"] = text
	}
	for n := range 200 {
		tree[fmt.Sprintf("/etc/vstup/many/%d.conf", n)] = text
	}
	tree["/usr/lib/systemd/system/vst-upgrade.service"] = "[Service]\nEnvironmentFile=/etc/vstup/environment\n" +
		"StateDirectory=" + state +
		"\nExecStart=/bin/busybox httpd -f -p ${PORT} -h /etc/vstup/www\nExecReload=/bin/true\n"
	return tree
}

func writeTree(t *testing.T, root string, tree map[string]string) {
	t.Helper()
	for p, text := range tree {
		err := os.MkdirAll(filepath.Dir(root+p), 0o755)
		if target, isLink := strings.CutPrefix(text, "-> "); err == nil && isLink {
			err = os.Symlink(target, root+p)
		} else if err == nil {
			err = os.WriteFile(root+p, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// installDeb builds and installs a version as a deb, leaving changed configuration files alone.
func installDeb(t *testing.T, version int) {
	t.Helper()
	shell(t, "DEBIAN_FRONTEND=noninteractive dpkg -i --force-confold "+buildDeb(t, version)+" </dev/null")
}

// buildDeb returns the file of a version.
func buildDeb(t *testing.T, version int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	tree := upgradeTree(version)
	writeTree(t, dir, tree)
	var conffiles []string
	for p := range tree {
		if strings.HasPrefix(p, "/etc/") && p != "/etc/vstup/link" {
			conffiles = append(conffiles, p)
		}
	}
	slices.Sort(conffiles)
	writeTree(t, dir, map[string]string{
		"/DEBIAN/control": fmt.Sprintf("Package: vst-upgrade\nVersion: %d\nArchitecture: all\nMaintainer: virt-sandbox "+
			"<root@localhost>\nDescription: two versions\n", version),
		"/DEBIAN/conffiles": strings.Join(conffiles, "\n") + "\n",
	})
	shell(t, "chmod -R go-w "+dir+" && dpkg-deb -b --root-owner-group "+dir+" "+dir+".deb >/dev/null")
	return dir + ".deb"
}

// installRPM builds and installs a version as an RPM.
func installRPM(t *testing.T, version int) {
	t.Helper()
	dir := t.TempDir()
	writeTree(t, dir+"/tree", upgradeTree(version))
	extra := ""
	if version == 2 {
		extra = "%config(noreplace) /etc/vstup-new\n"
	}
	writeTree(t, dir, map[string]string{"/vst-upgrade.spec": fmt.Sprintf(`Name: vst-upgrade
Version: %d
Release: 1
Summary: Two versions
License: none
BuildArch: noarch
AutoReqProv: no
%%description
One that follows the other.
%%install
cp -a %s/tree/. %%{buildroot}
%%files
%%defattr(-,root,root)
/usr/lib/systemd/system/vst-upgrade.service
%%config(noreplace) /etc/vstup
%s`, version, dir, extra)})
	shell(t, "rpmbuild --quiet -bb --define '_topdir "+dir+"/top' "+dir+
		"/vst-upgrade.spec && rpm -U --nodeps --force-debian "+dir+"/top/RPMS/noarch/*.rpm")
}

// Two versions of a real package: what is unchanged in a container follows, and nothing of a person's is lost.
func TestUpgrade(t *testing.T) {
	rig.On(t, rig.Native, rig.Host)
	for _, format := range []struct {
		name, suffix string
		install      func(*testing.T, int)
		remove       string
	}{
		{"rpm", ".rpmnew", installRPM, "rpm -e vst-upgrade"},
		{"deb", ".dpkg-dist", installDeb, "dpkg --purge vst-upgrade"},
	} {
		t.Run(format.name, func(t *testing.T) {
			before := snapshot(t)
			t.Cleanup(func() {
				_ = exec.Command("sh", "-c", format.remove+"; rm -rf /etc/vstup /etc/vstup-new").Run()
				sameAs(t, before, "after delete")
			})
			format.install(t, 1)
			shell(t, "echo edited before >/etc/vstup/before.conf")
			create(t, "t-upgrade", "-C", "-u", "vst-upgrade")
			create(t, "t-bare", "--empty", "-u", "vst-upgrade")
			tree := contentDir + "/t-upgrade"
			shell(t, "cd "+tree+"/etc/vstup && echo mine >>edited.conf && echo mine >>both.conf && rm removed.conf && echo "+
				"mine >own.conf")
			must(t, "start", "t-upgrade")
			shell(t, "echo edited later >/etc/vstup/on-host.conf")
			if got := must(t, "upgrade", "t-upgrade", "--quiet"); got != "" {
				t.Errorf("without a new version: %s", got)
			}
			format.install(t, 2)

			want := []string{
				"private /etc/vstup-new", "private /var/lib/vstup-new",
				"conflict /etc/vstup/before.conf (the package's is /etc/vstup/before.conf" + format.suffix + ")",
				"conflict /etc/vstup/both.conf (the package's is /etc/vstup/both.conf" + format.suffix + ")",
				"dropped /etc/vstup/dropped.conf", "kept /etc/vstup/edited.conf", "updated /etc/vstup/follows.conf",
				"updated /etc/vstup/link",
				"added /etc/vstup-new", "added /etc/vstup-new/new.conf", "added /etc/vstup/new", "added /etc/vstup/new/new.conf",
				"updated /etc/vstup/on-host.conf", "kept /etc/vstup/removed.conf",
				"updated /etc/vstup/www/index.html",
			}
			dry := upgradeLines(t, "--dry-run", "t-upgrade")
			if got := shell(t, "cat "+tree+"/etc/vstup/follows.conf; ls "+tree+
				"/etc /etc/libvirt-sandbox/services"); !strings.HasPrefix(got, "version 1\n") ||
				strings.Contains(got, "vstup-new") {
				t.Errorf("a dry run changes the content: %s", got)
			}
			o := run(t, "upgrade", "t-upgrade")
			if o.status != 0 || !strings.Contains(o.stdout, "t-upgrade: 2 private, 4 added, 204 updated, 2 conflict, 2 kept, 1 "+
				"dropped; it is running") {
				t.Errorf("upgrade: %+v", o)
			}
			for _, got := range [][]string{dry, withoutMany(o.stdout)} {
				if sorted(got) != sorted(want) {
					t.Errorf("says\n%s\nwant\n%s", sorted(got), sorted(want))
				}
			}
			for file, want := range map[string]string{
				"follows.conf": "version 2\n", "www/index.html": "version 2\n", "many/7.conf": "version 2\n",
				"new/new.conf": "version 2\n",
				"on-host.conf": "version 2\n", "edited.conf": "always the same\nmine\n", "both.conf": "version 1\nmine\n",
				"both.conf" + format.suffix: "version 2\n", "before.conf": "edited before\n",
				"before.conf" + format.suffix: "version 2\n",
				"dropped.conf":                "version 1\n", "own.conf": "mine\n", "../vstup-new/new.conf": "version 2\n",
			} {
				if got := shell(t, "cat "+tree+"/etc/vstup/"+file); got != want {
					t.Errorf("%s has %q, want %q", file, got, want)
				}
			}
			if target, err := os.Readlink(tree + "/etc/vstup/link"); err != nil || target != "follows.conf" {
				t.Errorf("the link leads to %q, %v", target, err)
			}
			if _, err := os.Stat(tree + "/etc/vstup/removed.conf"); !os.IsNotExist(err) {
				t.Errorf("a file that was removed inside is back (%v)", err)
			}
			if got := inside(t, "t-upgrade", "curl -s localhost:8021/index.html"); got != "version 2\n" {
				t.Errorf("serves %q", got)
			}
			must(t, "stop", "t-upgrade")
			must(t, "start", "t-upgrade")
			inside(t, "t-upgrade", "touch /etc/vstup-new/new.conf /var/lib/vstup-new/x")
			all := upgradeJSON(t, "--all", "--remove-dropped")
			if len(all) < 2 || !slices.ContainsFunc(all, func(u upgradedJSON) bool {
				return u.Name == "t-bare" &&
					u.has("private", "/etc/vstup-new")
			}) ||
				!slices.ContainsFunc(all, func(u upgradedJSON) bool {
					return u.Name == "t-upgrade" && u.has("removed", "/etc/vstup/dropped.conf")
				}) {
				t.Errorf("--all: %+v", all)
			}
			if info, err := os.Stat(contentDir + "/t-bare/etc/vstup-new"); err != nil || !info.IsDir() {
				t.Errorf("bare content lacks the new path: %v", err)
			}
			remove(t, "t-upgrade")
			remove(t, "t-bare")
		})
	}
}

type upgradedJSON struct {
	Name    string
	Changes []struct{ Path, Action, Beside string }
	Running bool
	Error   string
}

func (u upgradedJSON) has(action, path string) bool {
	return slices.ContainsFunc(u.Changes, func(c struct{ Path, Action, Beside string }) bool {
		return c.Path == path &&
			c.Action == action
	})
}

func upgradeJSON(t *testing.T, args ...string) []upgradedJSON {
	t.Helper()
	var list []upgradedJSON
	// Its status is about all sandboxes that the host has.
	o := run(t, append([]string{"upgrade", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil {
		t.Fatalf("%v: %+v", err, o)
	}
	return list
}

func upgradeLines(t *testing.T, args ...string) []string {
	t.Helper()
	return withoutMany(must(t, append([]string{"upgrade"}, args...)...))
}

// withoutMany gives the lines about single files, less those of the many that are alike.
func withoutMany(output string) []string {
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(output), "\n"), func(l string) bool {
		return strings.Contains(l, "/many/") || strings.HasPrefix(l, "t-upgrade: ")
	})
}

func sorted(lines []string) string { return strings.Join(slices.Sorted(slices.Values(lines)), "\n") }

// An upgrade that is killed at any moment leaves a person's files as they are, and the next one completes it.
func TestUpgradeKilled(t *testing.T) {
	rig.On(t, rig.Native)
	t.Cleanup(func() { shell(t, "dpkg --purge vst-upgrade; rm -rf /etc/vstup /etc/vstup-new") })
	installDeb(t, 1)
	create(t, "t-upgrade", "-C", "-u", "vst-upgrade")
	tree, allocated := contentDir+"/t-upgrade", stateDir+"/t-upgrade/state"
	shell(t, "cd "+tree+"/etc/vstup && echo mine >>edited.conf && echo mine >>both.conf && rm removed.conf && echo "+
		"mine >own.conf")
	installDeb(t, 2)
	saved := t.TempDir()
	shell(t, "cp -a "+tree+" "+saved+"/tree && cp -a "+allocated+" "+saved+"/state")
	restore := func() {
		shell(t, "rm -rf "+tree+" && cp -a "+saved+"/tree "+tree+" && cp -a "+saved+"/state "+allocated)
	}
	state := func() string {
		return shell(t, "cat "+allocated+"; cd "+tree+" && sort .virt-sandbox/manifest && ls .virt-sandbox && find etc var "+
			"-printf '%p %y %m %u %l\\n' | sort && find etc -type f -exec sha256sum {} + | sort")
	}
	begun := time.Now()
	must(t, "upgrade", "t-upgrade")
	usual := time.Since(begun)
	want := state()
	numbers := random(t)
	for range killings {
		restore()
		moment := killWithin(t, numbers, usual, nil, "upgrade", "t-upgrade")
		for file, want := range map[string]string{"edited.conf": "always the same\nmine\n", "both.conf": "version 1\nmine\n",
			"own.conf": "mine\n"} {
			if got := shell(t, "cat "+tree+"/etc/vstup/"+file); got != want {
				t.Errorf("killed after %v: %s has %q, want %q", moment, file, got, want)
			}
		}
		for _, p := range []string{"follows.conf", "many/3.conf", "many/150.conf"} {
			if got := shell(t, "cat "+tree+"/etc/vstup/"+p); got != "version 1\n" && got != "version 2\n" {
				t.Errorf("killed after %v: %s has %q", moment, p, got)
			}
		}
		must(t, "upgrade", "t-upgrade")
		if got := state(); got != want {
			a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
			t.Errorf("killed after %v, then completed:\n%s\nis not so otherwise, and lacks\n%s", moment, lacking(a, b),
				lacking(b, a))
		}
		if t.Failed() {
			return
		}
	}
}

// lacking gives the lines that the other list lacks.
func lacking(lines, other []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(other, l) }),
		"\n")
}
