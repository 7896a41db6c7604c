// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// moved are the paths of a content that differ when it has been moved: what its first preparation there touches.
var moved = []string{"/etc", "/etc/hostname", "/etc/machine-id"}

// export | import: under another name it is a clone, and under its own, after the first one is gone, the same sandbox
// with its journal and keys. Nothing gets lost, holes neither.
func TestExportImport(t *testing.T) {
	rig.On(t, rig.Native)
	before := snapshot(t)
	create(t, "t-source", "-C", "-u", "apache2")
	source, clone := contentDir+"/t-source", contentDir+"/t-import"
	fillTree(t, source+"/var/www", 2000)
	must(t, "start", "t-source")
	inside(t, "t-source", "logger -t t-logger before the move; rm -rf /etc/issue /etc/default; mkdir /etc/default")
	archive := t.TempDir() + "/t-source.tar.zst"
	refused(t, run(t, "export", "t-source", archive), "--freeze")
	must(t, "export", "--freeze", "t-source", archive)
	if info, err := os.Stat(archive); err != nil || info.Mode() != 0o600 {
		t.Errorf("the archive is %v (%v)", info.Mode(), err)
	}
	must(t, "stop", "t-source")
	must(t, "export", "--zstd", "t-source", archive)
	if info, err := os.Stat(archive); err != nil || info.Size() > 50<<20 {
		t.Errorf("the archive has %d bytes (%v)", info.Size(), err)
	}
	t.Cleanup(func() { remove(t, "t-import") })
	o := runCommand(t, exec.Command("sh", "-c", program+" export t-source | "+program+" import - t-import"))
	if o.status != 0 || !strings.HasPrefix(o.stdout, "Created sandbox container dir "+clone+"\n") {
		t.Fatalf("export | import: %+v", o)
	}
	tops := []string{"/etc", "/var", "/home", "/root", "/srv"}
	whole := tree(t, source, tops...)
	sameTree(t, "import under another name", tree(t, clone, tops...), whole, ofOne...)
	isSparse(t, clone+"/var/www/sparse")
	identity := make(map[string]string)
	for _, key := range []string{"uuid", "machine-id", "level"} {
		identity[key] = valueOf(t, "t-source", key)
		if other := valueOf(t, "t-import", key); other == identity[key] || other == "" {
			t.Errorf("%s is %q and %q", key, identity[key], other)
		}
	}
	must(t, "start", "t-import")
	if got := inside(t, "t-import", "hostname; systemctl is-active apache2; ls /etc/issue /etc/default "+
		"2>/dev/null; true"); got != "t-import\nactive\n/etc/default:\n" {
		t.Errorf("the import says %q", got)
	}
	must(t, "stop", "t-import")
	dir := t.TempDir()
	refused(t, run(t, "export", "-j", "2", "t-source"), "--jobs goes with --output-dir")
	refused(t, run(t, "export", "-o", archive, "t-source"), "is not a directory")
	o = run(t, "export", "--zstd", "-o", dir, "t-none", "t-import")
	if info, err := os.Stat(dir + "/t-import.tar.zst"); o.status != 1 || !strings.Contains(o.stderr, "t-none") ||
		!strings.HasPrefix(o.stdout, "Exported t-import") || err != nil || info.Mode() != 0o600 {
		t.Errorf("export of one that is none and one that is: %+v, %v", o, err)
	}
	if left := shell(t, "ls -A "+dir); left != "t-import.tar.zst\n" {
		t.Errorf("in its directory is %q", left)
	}
	must(t, "delete", "t-import")
	refused(t, run(t, "import", archive), "exists already")
	must(t, "delete", "t-source")
	if list := reported(t, 0, "import", "--json", archive); len(list) != 1 || list[0].Name != "t-source" ||
		list[0].Content != source || list[0].Level != identity["level"] {
		t.Errorf("import: %+v", list)
	}
	sameTree(t, "import", tree(t, source, tops...), whole, moved...)
	for key, was := range identity {
		if now := valueOf(t, "t-source", key); now != was {
			t.Errorf("%s is %q and was %q", key, now, was)
		}
	}
	if got := shell(t, "journalctl -m _MACHINE_ID="+identity["machine-id"]+
		" -t t-logger -o cat"); got != "before the move\n" {
		t.Errorf("its journal says %q", got)
	}
	must(t, "start", "t-source")
	must(t, "stop", "t-source")
	must(t, "delete", "t-source")
	sameAs(t, before, "after all were deleted")
}

// imported runs import of an archive that has a config, and members of a content that is small and whole.
func imported(t *testing.T, config string, args ...string) outcome {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	add := func(name, text string) {
		header := tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o644}
		if strings.HasSuffix(name, "/") {
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, text)
	}
	add("t-import.sandbox", config)
	add("content/etc/", "")
	add("content/var/", "")
	add("manifest", "")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, append([]string{"import"}, args...)...)
	command.Stdin = &archive
	return runCommand(t, command)
}

// An archive may come from anybody: what it asks of the host is refused in one line, and nothing is made.
func TestImportRefusals(t *testing.T) {
	rig.On(t, rig.Native)
	const head, command = "[sandbox]\nformat=1\nname=t-import\n", "[command]\nargument=/bin/true\n"
	before := snapshot(t)
	for _, c := range []struct{ name, config, want string }{
		{"config of no sense", head + "colour=blue\n" + command, "t-import.sandbox:4: unknown key \"colour\""},
		{"another name", strings.ReplaceAll(head, "t-import", "t-other") + command, "differs from the file's name"},
		{"name out", strings.ReplaceAll(head, "t-import", "../t-import") + command, "name"},
		{"long config", head + strings.Repeat("#\n", 1<<20) + command, "longer than"},
		{"unit that is not there", head + "unit=no-such.service\n", "t-import needs no-such.service: no such unit"},
		{"package that is not there", head + "unit=apache2.service\npackage=no-such-package\n",
			"no-such-package: package is not installed"},
		{"image of unknown size", head + "image=/etc/shadow\n" + command, "an image without image-size="},
		{"delete that has begun", head + "state=deleting\n" + command, "deleting"},
		{"mount of the host", head + command + "[mounts]\nhost-bind=/mnt=/\n",
			"asks for what reaches beyond the sandbox: host-bind=/mnt=/; if you trust"},
		{"program of the host", head + command + "[service]\nExecStartPre=/bin/sh -c evil\n", "ExecStartPre=/bin/sh -c evil"},
		{"network of the host", head + command + "[network]\nmode=host\n", "mode=host"},
		{"capabilities", head + command + "[hardening]\ncapabilities=all\n", "capabilities=all"},
		{"label", head + command + "[security]\nlabel=system_u:system_r:unconfined_t:s0:c1\n",
			"label=system_u:system_r:unconfined_t"},
		{"no profile", head + command + "[security]\napparmor=unconfined\n", "apparmor=unconfined"},
		{"kernel", head + command + "[hardening]\nread-only-kernel=no\nhide-kernel=no\n",
			"read-only-kernel=no, hide-kernel=no"},
		{"processes", head + command + "[limits]\npids=none\n", "pids=none"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, imported(t, c.config), c.want) })
	}
	sameAs(t, before, "after the refusals")
	refused(t, run(t, "import", "/no/such/archive"), "no such file")
	refused(t, run(t, "import", "/dev/null"), "empty")
	refused(t, run(t, "import", "/etc/passwd"), "read archive")
	refused(t, imported(t, head+command, "-l", "s0"), "--share-level")
	refused(t, imported(t, head+command, "-", "../x"), "name")
	refused(t, run(t, "export", "t-none"), "no such sandbox")
	sameAs(t, before, "after more of them")
}

// What an archive asks for is allowed by --trust; a level that is another's gives way, and one of -l does not. What the
// host has is not copied in for a path that the archive only names.
func TestImportGivesWay(t *testing.T) {
	rig.On(t, rig.Native)
	t.Cleanup(func() { remove(t, "t-import"); remove(t, "t-first") })
	must(t, "create", "-l", "s0:c901,c902", "t-first", "--", "/bin/true")
	const config = "[sandbox]\nformat=1\nname=t-import\ncopy=yes\n[command]\nargument=/bin/true\n[security]\n" +
		"level=s0:c902\n" +
		"[network]\nmode=host\n[private]\npath=admin /etc/ssl/private\n"
	refused(t, imported(t, config, "--trust", "-l", "s0:c901"), "not kept apart")
	o := imported(t, config, "--trust")
	if o.status != 0 || !strings.Contains(o.stderr, "level s0:c902 is not kept apart from s0:c901,c902, which sandbox "+
		"t-first has; t-import gets ") ||
		!strings.Contains(o.stderr, "/etc/ssl/private is not private in t-import") {
		t.Fatalf("import: %+v", o)
	}
	if level := valueOf(t, "t-import", "level"); level == "s0:c902" || strings.Count(level, ",") != 1 {
		t.Errorf("its level is %q", level)
	}
	if _, err := os.Lstat(contentDir + "/t-import/etc/ssl"); err == nil || valueOf(t, "t-import", "path") != "" {
		t.Error("the host's /etc/ssl came in")
	}
	must(t, "start", "t-import")
	must(t, "stop", "t-import")
	must(t, "delete", "t-import")
	if o := imported(t, "[sandbox]\nformat=1\nname=t-import\ncopy=yes\n[command]\nargument=/bin/true\n"); o.status != 0 ||
		valueOf(t, "t-import", "copy") != "" {
		t.Errorf("what root inside removes would be copied from the host: %+v", o)
	}
}

// An import that is killed at any moment can be run again or be deleted.
func TestImportKilled(t *testing.T) {
	rig.On(t, rig.Native)
	create(t, "t-source", "-C", "-u", "apache2")
	fillTree(t, contentDir+"/t-source/var/www", 2000)
	want := tree(t, contentDir+"/t-source", "/var/www")
	archive := t.TempDir() + "/archive"
	must(t, "export", "t-source", archive)
	must(t, "delete", "t-source")
	before := snapshot(t)
	begun := time.Now()
	must(t, "import", archive)
	usual := time.Since(begun)
	must(t, "delete", "t-source")
	numbers := random(t)
	for range otherKillings {
		moment := killWithin(t, numbers, usual, nil, "import", archive)
		if numbers.IntN(2) == 0 {
			again(t, []string{"import", archive}, moment, ends["import"], "t-source")
			sameTree(t, "import", tree(t, contentDir+"/t-source", "/var/www"), want)
		}
		if o := run(t, "delete", "t-source"); o.status != 0 && !strings.Contains(o.stderr, "no such sandbox") {
			t.Errorf("killed after %v, delete: %+v", moment, o)
		}
		sameAs(t, before, "killed after "+moment.String())
		if t.Failed() {
			return
		}
	}
}
