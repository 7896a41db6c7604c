// SPDX-License-Identifier: Apache-2.0

package units

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/ascii"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// text builds a unit file (systemd.syntax(7)).
type text struct{ bytes.Buffer }

func (t *text) comment(line string) { t.write("# ", line, "\n") }

// write adds words without joining them first: the generator does this a hundred times for each container.
func (t *text) write(words ...string) {
	for _, word := range words {
		t.WriteString(word)
	}
}

func (t *text) generated() {
	t.Grow(3072)
	t.comment("Made by virt-sandbox-service-generator at each daemon-reload. Change the config, or add a drop-in with")
	t.comment("systemctl edit.")
}

func (t *text) section(name string) { t.write("\n[", name, "]\n") }

// set writes a directive. The value must be one line, which Directive values are and all others are made to be.
func (t *text) set(name, value string) { t.write(name, "=", value, "\n") }

// head begins [Unit].
func (t *text) head(description string, p Paths) {
	t.section("Unit")
	t.set("Description", sentence(description))
	t.set("Documentation", documentation)
	t.set("SourcePath", specifiers(cmp.Or(p.Source, p.Config)))
}

func (t *text) environment(p Paths) {
	if p.ConfigDir != "" {
		t.set("Environment", quote(specifiers("VIRT_SANDBOX_CONFIG_DIR="+p.ConfigDir)))
	}
}

// specifiers keeps percent signs from being expanded (systemd.unit(5)).
func specifiers(value string) string { return strings.ReplaceAll(value, "%", "%%") }

// quote makes a value one word (systemd.syntax(7)).
func quote(value string) string {
	if ascii.Consists(value, "/._-+:,@=%") {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

// command makes a program's path the first word of a command line (systemd.service(5)).
func command(program string) string { return strings.ReplaceAll(quote(specifiers(program)), "$", "$$") }

// maxSentence bounds what a hostile config can make of a description.
const maxSentence = 500

// sentence makes any text a value of one line that is shown as it is.
func sentence(value string) string {
	if len(value) > maxSentence {
		value = strings.ToValidUTF8(value[:maxSentence], "") + "…"
	}
	return specifiers(strings.TrimRight(printable.Line(value), ` \`))
}
