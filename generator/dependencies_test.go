// SPDX-License-Identifier: Apache-2.0

package generator

import (
	"slices"
	"strings"
	"testing"
)

// TestDependenciesOnSandboxes: a dependency on a sandbox is one on its unit; one that is not there is told of, with the
// directives that nobody knows, where somebody asks, and is systemd's matter otherwise.
func TestDependenciesOnSandboxes(t *testing.T) {
	store := places(t, map[string]string{
		"etc/web.sandbox": "[sandbox]\nformat=2\nunit=nginx.service\n[unit]\nRequires=db1.sandbox x.service\n" +
			"After=db1.sandbox gone.sandbox\nDescription=see db1.sandbox\n" +
			"[service]\nLimitNOFILE=9\nMemoryHigh=1G\nRestartSec=3\n",
		"etc/db1.sandbox":          "[sandbox]\nformat=2\nunit=mariadb.service\n",
		"etc/web.sandbox.d/a.conf": "[service]\nRestartSce=1\n[unit]\nRestartSec=1\n",
	})
	files, problems := generate(t, store, t.TempDir())
	if len(problems) > 0 {
		t.Error(problems)
	}
	text := files["nginx@web.service"]
	for _, line := range []string{
		"Requires=mariadb@db1.service x.service", "After=mariadb@db1.service virt-sandbox@gone.service",
		"Description=see db1.sandbox", "RestartSec=3",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("it lacks %s:\n%s", line, text)
		}
	}
	if strings.Contains(text, "LimitNOFILE") || strings.Contains(text, "MemoryHigh") {
		t.Errorf("what is about the container is said of the helper:\n%s", text)
	}
	g := Generator{Store: store, UnitDir: t.TempDir(), Helper: helper, Strict: true}
	var got []string
	for _, problem := range g.Run(new(DryRun)) {
		got = append(got, strings.TrimPrefix(problem.Error(), store.Dir+"/"))
	}
	want := []string{
		"web.sandbox:6: After=gone.sandbox: gone: no such sandbox (" + store.Path("gone") + ")",
		"web.sandbox.d/a.conf:2: RestartSce= in [service] is no directive that this program knows; did you mean RestartSec=?",
		"web.sandbox.d/a.conf:4: RestartSec= in [unit] is no directive that this program knows; it belongs to [service]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
