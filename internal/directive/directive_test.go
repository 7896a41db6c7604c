// SPDX-License-Identifier: Apache-2.0

package directive

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of the manual anew")

const (
	manual     = "../../man/virt-sandbox.config.5"
	tableBegin = ".\\\" The table is made by go test ./internal/directive -update.\n"
	tableEnd   = ".\\\" End of the table.\n"
)

// TestManual: the table in virt-sandbox.config(5) is the one that programs go by.
func TestManual(t *testing.T) {
	data, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), tableBegin)
	_, tail, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatal("the page has no place for the table")
	}
	text := head + tableBegin + tableText() + tableEnd + tail
	if *update {
		if err := os.WriteFile(manual, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(data) {
		t.Error("the table of the page is not that of the code; run go test ./internal/directive -update")
	}
}

// tableText is the table for roff.
func tableText() string {
	var text strings.Builder
	for _, r := range table() {
		what := r.text
		switch r.place {
		case Own:
			what = "refused; the unit on the host stands on it"
		case Refused:
			what = "refused; " + what
		}
		names := strings.Fields(r.names)
		fmt.Fprintf(&text, ".TP\n.B [%s]\n%s= \\(em %s.\n", r.section, strings.Join(names, "=,\n"), roff(what))
	}
	return text.String()
}

func roff(text string) string { return strings.NewReplacer("-", `\-`, "'", `\(aq`).Replace(text) }

// TestOnce: no directive is in two rows, and each row says something.
func TestOnce(t *testing.T) {
	seen := make(map[key]bool)
	for _, r := range table() {
		for name := range strings.FieldsSeq(r.names) {
			if k := (key{r.section, name}); seen[k] {
				t.Errorf("%s is in two rows", name)
			} else {
				seen[k] = true
			}
		}
		if (r.text == "") != (r.place == Own) {
			t.Errorf("%s: %q", r.names, r.text)
		}
	}
}

// TestSystemdKnowsNoOthers: what the systemd of this machine knows, the table does.
func TestSystemdKnowsNoOthers(t *testing.T) {
	const systemd = "/usr/lib/systemd/systemd"
	output, err := exec.Command(systemd, "--dump-configuration-items").Output()
	if err != nil {
		t.Skipf("no systemd says what it knows: %v", err)
	}
	section := ""
	for line := range strings.Lines(string(output)) {
		line = strings.TrimSpace(line)
		name, kind, found := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = strings.ToLower(strings.Trim(line, "[]"))
		case !found || strings.Contains(kind, "NOTSUPPORTED") || section != Unit && section != Service:
		default:
			if err := CheckKnown(section, name); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestGroupValue: values are those of cgroups, or refused.
func TestGroupValue(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"CPUWeight", "50", "50"}, {"IOWeight", "10001", ""}, {"MemoryHigh", "1M", "1048576"},
		{"MemoryHigh", "infinity", "max"}, {"MemorySwapMax", "0", "0"}, {"MemoryLow", "10%", ""},
		{"AllowedCPUs", "0-3 6", "0-3,6"}, {"AllowedCPUs", "all", ""},
	} {
		if got, err := GroupValue(c.name, c.value); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s=%s: %q, %v", c.name, c.value, got, err)
		}
	}
}

// FuzzWithUnits: a value that names no sandbox stays as it is, and no value becomes two lines.
func FuzzWithUnits(f *testing.F) {
	f.Add("a.service db.sandbox")
	f.Add(".sandbox\t\"x.sandbox")
	f.Fuzz(func(t *testing.T, value string) {
		got := WithUnits("After", value, func(name string) string { return "x@" + name + ".service" })
		if len(Sandboxes("After", value)) == 0 && got != value {
			t.Errorf("%q became %q", value, got)
		}
		if strings.Count(got, "\n") > strings.Count(value, "\n") {
			t.Errorf("%q became %q", value, got)
		}
	})
}
