// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/test/rig"
)

// TestProgram runs the built program, as a user to whom a file can be unreadable, on one good config and 21 bad ones.
func TestProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("make test runs it")
	}
	rig.Needs(t, rig.Root)
	texts := map[string]string{"good.sandbox": good, "unreadable.sandbox": good}
	for _, b := range badConfigs() {
		texts[b.name+config.Suffix] = b.text
	}
	store := configsIn(t, texts)
	dir := t.TempDir()
	shell(
		t,
		"ln -s /no/such/config "+store.Path("dangling")+"; mkfifo "+store.Path("pipe")+"; chmod 0 "+store.Path("unreadable")+
			"; cd ../cmd/virt-sandbox-service-generator && CGO_ENABLED=0 go build -o "+dir+" . && touch "+dir+
			"/virt-sandbox-service-helper"+
			" && mkdir "+dir+"/normal "+dir+"/early "+dir+"/late && chown -R 65534 "+dir+" && chmod 755 "+dir+" "+store.Dir+
			" "+dir+"/.. "+store.Dir+"/..",
	)
	run := func(args ...string) (stdout, stderr string, status int) {
		command := exec.Command(filepath.Join(dir, "virt-sandbox-service-generator"), args...)
		command.Env = append(os.Environ(), config.DirVariable+"="+store.Dir)
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		var out, said strings.Builder
		command.Stdout, command.Stderr = &out, &said
		if err := command.Run(); command.ProcessState == nil {
			t.Fatal(err)
		}
		return out.String(), said.String(), command.ProcessState.ExitCode()
	}
	bad := len(texts) - 1 + 2 // less the good one, and the link and the pipe
	stdout, stderr, status := run(dir+"/normal", dir+"/early", dir+"/late")
	if status != 0 || stdout != "" || strings.Count(stderr, "\n") != bad {
		t.Errorf(
			"exit status %d, stdout %q, %d lines on stderr, want 0, nothing, %d:\n%s",
			status,
			stdout,
			strings.Count(stderr, "\n"),
			bad,
			stderr,
		)
	}
	if !strings.Contains(stderr, store.Path("unreadable")+":1: read config: open "+store.Path("unreadable")+
		": permission denied\n") {
		t.Errorf("no line of the unreadable one:\n%s", stderr)
	}
	if files, err := os.ReadDir(dir + "/normal"); err != nil || len(files) != 1 ||
		files[0].Name() != "httpd@good.service" {
		t.Errorf("generated %v, %v", files, err)
	}
	stdout, stderr, status = run("--dry-run")
	if status != 1 || !strings.HasPrefix(stdout, "# /run/systemd/generator") || strings.Count(stderr, "\n") != bad {
		t.Errorf("--dry-run: exit status %d, stdout %q…, stderr\n%s", status, stdout[:min(len(stdout), 80)], stderr)
	}
	store.Dir = t.TempDir() + "/absent"
	if stdout, stderr, status = run(dir+"/normal", dir+"/early", dir+"/late"); stdout+stderr != "" || status != 0 {
		t.Errorf("without a directory of configs: exit status %d, %q, %q", status, stdout, stderr)
	}
}
