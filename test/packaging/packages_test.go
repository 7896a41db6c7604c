// SPDX-License-Identifier: Apache-2.0

package packaging

import (
	"crypto/sha256"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built returns the files of a kind among the packages that make test-packages has built, in two directories.
func built(t *testing.T, pattern string) []string {
	t.Helper()
	dir := os.Getenv("VIRT_SANDBOX_PACKAGES")
	if dir == "" {
		t.Skip("make test-packages builds the packages that this looks at")
	}
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, dir, err)
	}
	return files
}

// A second build of a commit makes the same bytes, in a directory of another name.
func TestBuildsAreTheSame(t *testing.T) {
	again := os.Getenv("VIRT_SANDBOX_PACKAGES_AGAIN")
	digest := func(file string) [sha256.Size]byte {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(data)
	}
	for _, file := range append(built(t, "*.deb"), built(t, "*.tar.gz")...) {
		if digest(file) != digest(filepath.Join(again, filepath.Base(file))) {
			t.Errorf("two builds of %s differ", file)
		}
	}
}

// Lintian finds nothing beside what debian/*.lintian-overrides names with the reason.
func TestLintian(t *testing.T) {
	changes := built(t, "*.changes")
	if _, err := exec.LookPath("lintian"); err != nil {
		t.Skip("lintian is not installed")
	}
	out, err := exec.Command("lintian", append([]string{"--fail-on=error,warning", "--pedantic"}, changes...)...).
		CombinedOutput()
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// The programs that link libvirt are hardened as Debian asks, the others need no loader; nothing has its symbols in,
// and the package of symbols has those of each.
func TestHardening(t *testing.T) {
	root := t.TempDir()
	run(t, ".", "dpkg-deb", "-x", built(t, "virt-sandbox_*.deb")[0], root)
	symbols := run(t, ".", "dpkg-deb", "-c", built(t, "virt-sandbox-dbgsym_*.deb")[0])
	linked := []string{
		"bin/virt-sandbox", "bin/virt-sandbox-service", "libexec/virt-sandbox/virt-sandbox-service-helper",
	}
	static := []string{
		"libexec/virt-sandbox/virt-sandbox-init", "libexec/virt-sandbox/virt-sandbox-service-monitor",
		"libexec/virt-sandbox/virt-sandbox-service-monitor-dhcp",
		"lib/systemd/system-generators/virt-sandbox-service-generator",
	}
	for i, name := range append(linked, static...) {
		f, err := elf.Open(filepath.Join(root, "usr", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		programs := make(map[elf.ProgType]elf.ProgFlag)
		for _, p := range f.Progs {
			programs[p.Type] = p.Flags
		}
		if programs[elf.PT_GNU_STACK]&elf.PF_X != 0 {
			t.Errorf("%s has a stack that can be executed", name)
		}
		if f.Section(".debug_info") != nil || f.Section(".symtab") != nil {
			t.Errorf("%s has symbols", name)
		}
		if f.Section(".note.gnu.build-id") == nil {
			t.Errorf("%s has no build id", name)
		}
		_, relro := programs[elf.PT_GNU_RELRO]
		_, loader := programs[elf.PT_INTERP]
		if i >= len(linked) {
			if loader {
				t.Errorf("%s needs a loader", name)
			}
			continue
		}
		flags, err := f.DynValue(elf.DT_FLAGS)
		if err != nil || len(flags) != 1 || flags[0]&uint64(elf.DF_BIND_NOW) == 0 || f.Type != elf.ET_DYN || !relro {
			t.Errorf("%s: type %v, flags %v, relro %v: %v", name, f.Type, flags, relro, err)
		}
	}
	if n := strings.Count(symbols, ".debug"); n < len(linked)+len(static) {
		t.Errorf("the package of symbols has %d files of them:\n%s", n, symbols)
	}
}
