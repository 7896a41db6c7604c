// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"os"
	"testing"
)

func TestShowEnvironment(t *testing.T) {
	run := t.TempDir()
	dir := run + "/systemd/system.conf.d"
	if err := showEnvironment(run, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("without variables there is a file")
	}
	variables := []string{"T=1", "E=", "Q=a \"b\" 100% \\n $HOME", "L=one\n[Manager]\tä"}
	if err := showEnvironment(run, variables); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(dir + "/80-virt-sandbox.conf")
	want := `[Manager]
DefaultEnvironment="T=1"
DefaultEnvironment="E="
DefaultEnvironment="Q=a \x22b\x22 100%% \x5cn $HOME"
DefaultEnvironment="L=one\x0a[Manager]\x09ä"
`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}
