// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// The "How To Test" of Fedora's feature page, with an RPM named httpd that owns the files of the installed Apache. It
// reboots the host in the middle, so it comes in two tests. Without SELinux the same is done, less the labels.
const (
	pageUnit  = "httpd@container1.service"
	pageTree  = contentDir + "/container1"
	pageLevel = "s0:c1,c2"
	pageText  = "<h1>Served by container1</h1>\n"
)

func TestSystemdPageBeforeReboot(t *testing.T) {
	rig.On(t, rig.BeforeReboot)
	rig.Needs(t, rig.Systemd)
	installHTTPD(t)
	want := "Created sandbox container dir " + pageTree + "\n" +
		"Created sandbox config " + configDir + "/container1.sandbox\n" +
		"Created unit file /etc/systemd/system/" + pageUnit + "\n"
	if got := must(t, "create", "-C", "-l", pageLevel, "-u", "httpd.service", "-N", "host", "container1"); got != want {
		t.Errorf("create prints %q, want %q", got, want)
	}
	// Content that comes from outside has the container's level.
	shell(t, "cd "+pageTree+"/var/log && touch content && mkdir -p more/below && echo '"+strings.TrimSpace(pageText)+"' >"+
		pageTree+"/var/www/html/index.html")
	if selinuxRuns() {
		shell(t, "cd "+pageTree+"/var/www/html && echo Secret >badcontent && chcon -l s0:c3,c4 badcontent")
		for _, file := range []string{"", "/var/log/content", "/var/log/more/below", "/etc/apache2/apache2.conf",
			"/var/www/html/index.html", "/etc/machine-id", "/.virt-sandbox"} {
			if got := strings.TrimSpace(shell(t, "stat -c %C "+pageTree+file)); got != "system_u:object_r:container_file_t:"+
				pageLevel {
				t.Errorf("%s has the label %s", pageTree+file, got)
			}
		}
	}
	must(t, "start", "container1")
	pageProcesses(t)
	connect := exec.Command(program, "connect", "container1")
	connect.Stdin = strings.NewReader("id -u; touch /var/www/html/content && touch /file\nexit 7\n")
	if o := runCommand(t, connect); o.status != 7 || o.stdout != "0\n" ||
		!strings.Contains(o.stderr, "Read-only file system") {
		t.Errorf("the shell inside: %+v", o)
	}
	if selinuxRuns() {
		connect := exec.Command(program, "connect", "container1")
		connect.Stdin = strings.NewReader("getenforce; id -Z; setenforce 1; cat /var/www/html/badcontent\nexit 8\n")
		if o := runCommand(t, connect); o.status != 8 || o.stdout != "Disabled\n" ||
			!strings.Contains(o.stderr, "setenforce: SELinux is disabled") ||
			!strings.Contains(o.stderr, "badcontent: Permission denied") {
			t.Errorf("SELinux inside: %+v", o)
		}
	}
	pageServed(t)
	must(t, "stop", "container1")

	systemctl(t, "start", pageUnit)
	systemctl(t, "enable", pageUnit)
	pageServed(t)
}

func TestSystemdPageAfterReboot(t *testing.T) {
	rig.On(t, rig.AfterReboot)
	rig.Needs(t, rig.Systemd)
	if got := strings.TrimSpace(systemctl(t, "is-active", pageUnit)); got != "active" {
		t.Fatalf("after the reboot the unit is %s\n%s", got, status(t, pageUnit))
	}
	pageProcesses(t)
	pageServed(t)
	// The host's shutdown was an orderly one for the container.
	if got := shell(t, "journalctl -u "+pageUnit+" -b -1 --no-pager"); !strings.Contains(got, "Powering off.") ||
		strings.Contains(got, "broke down") || !strings.Contains(got, "Deactivated successfully") {
		t.Errorf("the end before the reboot:\n%s", got)
	}
	systemctl(t, "stop", pageUnit)
	must(t, "delete", "container1")
	for _, file := range []string{pageTree, configDir + "/container1.sandbox", "/etc/systemd/system/" + pageUnit,
		"/etc/systemd/system/multi-user.target.wants/" + pageUnit} {
		if _, err := os.Lstat(file); !os.IsNotExist(err) {
			t.Errorf("%s is still there (%v)", file, err)
		}
	}
}

// installHTTPD builds and installs the RPM. Its database knows it; the files that dpkg put there stay dpkg's.
func installHTTPD(t *testing.T) {
	t.Helper()
	top := t.TempDir()
	shell(t, "mkdir "+top+"/SOURCES && cp testdata/httpd/httpd.service "+top+"/SOURCES/ && "+
		"rpmbuild --quiet -bb --define '_topdir "+top+"' testdata/httpd/httpd.spec && "+
		"rpm -i --nodeps --justdb "+top+"/RPMS/*/httpd-*.rpm && "+
		"cp testdata/httpd/httpd.service /usr/lib/systemd/system/ && cp /usr/sbin/apache2 /usr/sbin/httpd && systemctl "+
		"daemon-reload")
	if selinuxRuns() {
		shell(t, "restorecon /usr/lib/systemd/system/httpd.service /usr/sbin/httpd")
	}
}

func selinuxRuns() bool {
	_, err := os.Stat("/sys/fs/selinux/enforce")
	return err == nil
}

// pageProcesses checks that what must run in the container does, and under its level.
func pageProcesses(t *testing.T) {
	t.Helper()
	for _, name := range []string{"systemd", "systemd-journal", "httpd"} {
		found := false
		list := shell(t, "ps -eo label,pidns,comm | awk -v ns=$(readlink /proc/self/ns/pid | tr -dc 0-9) '$2 != ns "+
			"&& $3 == \""+name+"\"'")
		for line := range strings.Lines(list) {
			found = found || !selinuxRuns() || strings.HasPrefix(line, "system_u:system_r:virt_sandbox_t:"+pageLevel+" ")
			if selinuxRuns() && !strings.Contains(line, ":"+pageLevel+" ") {
				t.Errorf("a process inside has another label: %s", line)
			}
		}
		if !found {
			t.Errorf("no %s runs in a container under %s:\n%s", name, pageLevel, list)
		}
	}
}

// pageServed fetches the page over the host's network.
func pageServed(t *testing.T) {
	t.Helper()
	address, err := exec.Command("hostname", "-I").Output()
	host := strings.Fields(string(address) + " 127.0.0.1")[0]
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 10 * time.Second}
	var got string
	wait(t, "the page at "+host, func() bool {
		response, err := client.Get("http://" + host + "/")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		got = string(text)
		return err == nil
	})
	if got != pageText {
		t.Errorf("served over the network at %s: %q", host, got)
	}
}
