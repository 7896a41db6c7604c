// SPDX-License-Identifier: Apache-2.0

package enter

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// What runs on the host before the command does, nsenter(1) among it, obeys none of the command's variables: a config
// that came with an archive, or root inside, would have the loader of the host's root take any library.
func TestVariablesAreTheCommandsAlone(t *testing.T) {
	user, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	o := opened{namespaces: map[string]*os.File{userNamespace: user}}
	variables := []string{"PATH=/x", "LD_PRELOAD=/var/lib/x.so", "GCONV_PATH=/x", "A=b=c\n", "LD_PRELOAD=/y.so"}
	process, err := o.command(t.Context(), Target{Root: 1 << 30}, Command{
		Args: []string{"true"}, Environment: append(Environment("box"), variables...),
	})
	if err != nil {
		t.Skipf("without nsenter: %v", err)
	}
	if !strings.HasSuffix(process.Path, "/nsenter") {
		t.Fatalf("it is %s that is executed", process.Path)
	}
	for _, v := range process.Env {
		if name, _, _ := strings.Cut(v, "="); name != "PATH" && !strings.HasPrefix(name, "VIRT_SANDBOX_") {
			t.Errorf("a program of the host has %q", v)
		}
	}
	if len(process.Env) == 0 || slices.Contains(process.Env, "PATH=/x") {
		t.Errorf("a program of the host has %q", process.Env)
	}
	if got := guest.VariablesOf(process.Env); !slices.Equal(got[len(got)-len(variables):], variables) {
		t.Errorf("the command has %q", got)
	}
}
