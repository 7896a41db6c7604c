// SPDX-License-Identifier: Apache-2.0

package attack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// contentAttempts lay in the content what verbs of the host come across.
func contentAttempts() []attempt {
	return []attempt{
		{name: "pipes-for-files", tries: "have verbs wait for pipes in place of files that they read", unwalled: true,
			host: laid("pipes", layPipes)},
		{name: "hostile-names", tries: "have verbs show or follow names of files", unwalled: true,
			host: laid("names", layNames)},
		{name: "sparse-file", tries: "have verbs read a file of 15 TiB that has nothing", unwalled: true,
			host: laid("sparse", laySparse)},
		{name: "many-links", tries: "have verbs come across 30,000 links of a file", unwalled: true,
			host: laid("links", layLinks)},
		{name: "journal-garbage", tries: "have who reads logs read a journal that is none",
			unwalled: true, host: laid("journal", layJournal)},
		{name: "swapped-links", tries: "swap directories with links to the host's while verbs walk",
			unwalled: true, host: laid("swaps", laySwaps)},
		{name: "archive-variables", tries: "have the host's programs obey variables of a config that came with an archive",
			fast: true, host: archiveVariables},
		{name: "core-dump", tries: "leave a core dump where the host is", host: coreDump},
	}
}

const layPipes = `
for f in /etc/machine-id /etc/hosts /etc/passwd /etc/group /etc/shadow /etc/os-release /etc/hostname /etc/localtime \
	/etc/nsswitch.conf /etc/resolv.conf /etc/apache2/apache2.conf /etc/logrotate.conf /var/www/html/index.html \
	/run/systemd/notify /run/dbus/system_bus_socket; do mv $f $f.t; mkfifo $f; done
mkdir -p /var/www/p; for n in $(seq 200); do mkfifo /var/www/p/$n; done
true`

const layNames = `
cd /var/www && perl -e 'for my $n ("a\nb", "\033]0;OWNED\007", "\xff\xfe", "x" x 255, "-rf", "--help", "%s%n", "\r",
	"\$(touch /t-attack-owned)", "\";touch /t-attack-owned;\"", ".wh.x", "c\tTAB", "\xe2\x80\xae") {
	mkdir $n; open F, ">", "$n/f"; symlink "/etc/shadow", "$n/$n"; mkdir "/etc/apache2/$n";
	open F, ">", "/etc/apache2/$n/f" }'
true`

const laySparse = `
cp /etc/hosts /etc/hosts.t
for f in /var/www/huge /etc/apache2/huge /var/log/huge.log /etc/passwd.huge /etc/hosts /etc/machine-id; do
	truncate -s 15T $f
done
true`

const layLinks = `
cd /var/www && echo x >f && perl -e 'for (1..30000) { link "f", "f$_" or last }'
true`

const layJournal = `
d=$(ls -d /var/log/journal/*/ | head -1)
systemctl kill -s KILL systemd-journald
cd $d && for f in *.journal; do
	perl -e 'local $/; open F, "<", $ARGV[0]; $_ = <F>;
		substr($_, 200) =~ s/[\x00]{8}/\xff\xff\xff\x7f\xff\xff\xff\x7f/g; open F, ">", $ARGV[0]; print F $_' $f
done
for n in 1 2 3; do head -c 300000 /dev/urandom >user-100$n.journal; done
ln -s /etc/shadow user-2.journal; mkfifo user-3.journal
true`

// Number 316 is renameat2, which exchanges two names.
const laySwaps = `
mkdir -p /var/www/a/b /var/www/c && touch /var/www/a/b/f && ln -s /srv/t-attack-target /var/www/l
ln -s /srv/t-attack-target /etc/apache2/l
setsid perl -e 'my $end = time + 45; while (time < $end) { for (1..500) {
	syscall(316, -100, "/var/www/a/b", -100, "/var/www/l", 2);
	syscall(316, -100, "/etc/apache2/conf-enabled", -100, "/etc/apache2/l", 2) } }' >/dev/null 2>&1 </dev/null &
sleep 0.2`

// verbsOn are those that look at a container or its content, up and down, in an order that ends with delete.
func verbsOn(name, copied, archive string) [][]string {
	return [][]string{
		{"status", name}, {"list"}, {"list", "--json"}, {"top", "--json"}, {"check", name}, {"logs", name},
		{"needs-restart", name}, {"upgrade", name}, {"reload", name},
		{"set-property", "--runtime", name, "tmp-size=64M", "memory=700M"}, {"clone", "--freeze", name, copied},
		{"delete", "--ignore", copied}, {"export", "--freeze", name, archive}, {"stop", name}, {"check", name},
		{"logs", name}, {"upgrade", name}, {"clone", name, copied}, {"export", name, archive},
		{"delete", "--ignore", copied}, {"import", archive, copied}, {"delete", "--ignore", copied}, {"delete", name},
	}
}

// laid has a container of its own in which something is laid, and makes the host's verbs on it: none may hang, take
// much memory, tell of the host or send escape sequences.
func laid(name, script string) func(*testing.T, *box) error {
	return func(t *testing.T, b *box) error {
		other := &box{name: b.name + "-" + name, wall: b.wall, options: b.options}
		const target = "/srv/t-attack-target"
		err := errors.Join(os.MkdirAll(target, 0o755), os.WriteFile(target+"/secret", []byte("t-attack-secret"), 0o600))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(target) })
		other.create(t)
		other.endsWithin(t, 15*time.Second)
		must(t, "start", other.name)
		if r := service(t, 2*time.Minute, "execute", other.name, "--", "sh", "-c", script); r.timeout {
			t.Fatalf("it is not laid: %s", r.text)
		}
		archive := filepath.Join(t.TempDir(), "archive")
		copied := &box{name: other.name + "-copy"}
		t.Cleanup(func() { copied.remove(t) })
		got := false
		for _, args := range verbsOn(other.name, copied.name, archive) {
			const much = 700 << 20
			r := asPerson(t, args)
			if r.timeout || r.peak > much || strings.ContainsAny(r.text, "\x1b\x07\u202e") ||
				strings.Contains(r.text, "t-attack-secret") || strings.Contains(r.text, "panic: ") ||
				args[0] == "delete" && r.status != 0 {
				t.Errorf("%v: status %d in %v with %d MiB: %.2000q", args, r.status, r.took, r.peak>>20, r.text)
				got = true
			}
			if args[0] == "clone" && holdsSecret(copied.dir()) || args[0] == "export" && holdsSecret(archive) {
				t.Errorf("%v has copied a file of the host's root", args)
				got = true
			}
			t.Logf("%v: status %d in %v", args, r.status, r.took.Round(time.Millisecond))
		}
		if _, err := os.Lstat("/t-attack-owned"); err == nil {
			t.Error("a name was executed")
			got = true
		}
		if entries, err := os.ReadDir(target); err != nil || len(entries) != 1 {
			t.Errorf("the host's directory has %v, %v", entries, err)
			got = true
		}
		if got {
			return nil
		}
		return errHeld
	}
}

// endsWithin has a stop wait no longer for what root inside holds up.
func (b *box) endsWithin(t *testing.T, limit time.Duration) {
	t.Helper()
	dir := "/etc/libvirt-sandbox/services/" + b.name + ".sandbox.d"
	text := fmt.Sprintf("[limits]\nstop-timeout=%s\n", limit)
	err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/t-attack.conf", []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
}

// asPerson makes a verb. Logs are read inside as long as root in there likes: a person has it end by ^C, which must do.
func asPerson(t *testing.T, args []string) result {
	t.Helper()
	if args[0] == "logs" {
		args = append([]string{"--signal=INT", "20", program}, args...)
		return runFor(t, time.Minute, exec.Command("timeout", args...))
	}
	return service(t, time.Minute, args...)
}

// holdsSecret looks for the secret in an archive, or in the small files of a tree.
func holdsSecret(top string) bool {
	found := false
	_ = filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil && (name == top || info.Size() < 1000) && info.Size() < 1<<30 {
			text, _ := os.ReadFile(name)
			found = found || strings.Contains(string(text), "t-attack-secret")
		}
		return nil
	})
	return found
}

// archiveVariables has a command entered whose variables the loader of a program of the host would obey: here it would
// write down what it does, and could execute any library of the content as well.
func archiveVariables(t *testing.T, b *box) error {
	const traces = "/srv/t-attack-owned"
	other := &box{name: b.name + "-variables", wall: b.wall, options: b.options}
	other.create(t)
	config, err := os.OpenFile("/etc/libvirt-sandbox/services/"+other.name+".sandbox", os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = config.WriteString("\n[environment]\nLD_DEBUG=all\nLD_DEBUG_OUTPUT=" + traces + "\n")
		err = errors.Join(err, config.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "archive")
	must(t, "export", other.name, archive)
	must(t, "delete", other.name)
	must(t, "import", archive, other.name)
	must(t, "start", other.name)
	if text := other.inside(t, "echo $LD_DEBUG_OUTPUT"); !strings.Contains(text, traces) {
		t.Errorf("the command does not have its variables: %s", text)
	}
	found, err := filepath.Glob(traces + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		t.Log("made on the host: " + file)
		os.Remove(file)
	}
	if len(found) > 0 {
		return nil
	}
	return errHeld
}

func coreDump(t *testing.T, b *box) error {
	before, err := filepath.Glob("/core*")
	if err != nil {
		t.Fatal(err)
	}
	service(t, time.Minute, "execute", b.name, "--", "sh", "-c",
		"ulimit -c unlimited; cd /; sh -c 'kill -SEGV $$'; mkdir -p /tmp/gone && cd /tmp/gone && rmdir /tmp/gone; "+
			"sh -c 'kill -ABRT $$'; true")
	after, err := filepath.Glob("/core*")
	if err != nil {
		t.Fatal(err)
	}
	if len(after) > len(before) {
		for _, file := range after {
			var stat unix.Stat_t
			t.Log(file, unix.Stat(file, &stat), stat.Uid)
		}
		return nil
	}
	return errHeld
}
