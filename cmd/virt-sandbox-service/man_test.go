// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/virt-sandbox/virt-sandbox/cmd/internal/usage"
)

var update = flag.Bool("update", false, "write the pages of the manual anew")

const (
	manual   = "../../man/"
	mainPage = manual + "virt-sandbox-service.1"
)

// rootOfTest returns the program's commands, whatever the environment of the test.
func rootOfTest(t *testing.T) *cobra.Command {
	t.Setenv("LIBVIRT_DEFAULT_URI", "")
	return root()
}

// verbs are the commands that have a page; completion says in --help what there is to say.
func verbs(root *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(
		slices.Clone(root.Commands()),
		func(c *cobra.Command) bool { return !c.IsAvailableCommand() || c.HasSubCommands() },
	)
}

// TestManual compares the pages of the verbs, and what the overview lists of them, with the commands.
func TestManual(t *testing.T) {
	root := rootOfTest(t)
	want := make(map[string]string)
	for _, c := range verbs(root) {
		want[manual+"virt-sandbox-service-"+c.Name()+".1"] = page(c)
	}
	text, err := os.ReadFile(mainPage)
	if err != nil {
		t.Fatal(err)
	}
	want[mainPage] = string(text)
	for name, part := range map[string]string{"verbs": listOf(verbs(root)), "options": optionsOf(root.LocalFlags(),
		words(root))} {
		want[mainPage] = replace(t, want[mainPage], name, part)
	}
	for file, text := range want {
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%s is not what the commands say; run go test ./cmd/virt-sandbox-service -update (%v)", file, err)
		}
	}
	pages, err := filepath.Glob(manual + "virt-sandbox-service*.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range pages {
		if _, found := want[file]; !found {
			t.Errorf("%s is the page of no verb; remove it", file)
		}
	}
}

// TestManualIsWhole looks for a page of each program, and that no page refers to one of ours that is not there.
func TestManualIsWhole(t *testing.T) {
	programs, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		if program.Name() == "internal" {
			continue
		}
		pages, err := filepath.Glob(manual + program.Name() + ".[18]")
		if err != nil || len(pages) != 1 {
			t.Errorf("%s has the pages %q, %v", program.Name(), pages, err)
		}
	}
	files, err := filepath.Glob(manual + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plain := regexp.MustCompile(`\\f[BRI]| (\()`).ReplaceAllString(strings.ReplaceAll(string(text), `\-`, "-"), "$1")
		for _, reference := range regexp.MustCompile(`\b(virt-sandbox[a-z.-]*)\(([158])\)`).FindAllStringSubmatch(plain, -1) {
			if _, err := os.Stat(manual + reference[1] + "." + reference[2]); err != nil {
				t.Errorf("%s refers to %s: %v", file, reference[0], err)
			}
		}
	}
}

// TestManualFormats has groff(1) read every page.
func TestManualFormats(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip(err)
	}
	pages, err := filepath.Glob(manual + "*.[158]")
	if err != nil || len(pages) < 20 {
		t.Fatal(pages, err)
	}
	for _, file := range pages {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if other, isAlias := strings.CutPrefix(string(text), ".so "); isAlias {
			if _, err := os.Stat(manual + filepath.Base(strings.TrimSpace(other))); err != nil {
				t.Errorf("%s is another name of no page: %v", file, err)
			}
			continue
		}
		command := exec.Command("groff", "-t", "-man", "-ww", "-Tutf8", "-rLL=80n", filepath.Base(file))
		command.Dir = filepath.Dir(file)
		var out, complaints bytes.Buffer
		command.Stdout, command.Stderr = &out, &complaints
		if err := command.Run(); err != nil || complaints.Len() > 0 || out.Len() < 500 {
			t.Errorf("%s: %v, %d bytes\n%s", file, err, out.Len(), complaints.String())
		}
	}
}

// TestHelpFits holds what --help says to the width of a terminal.
func TestHelpFits(t *testing.T) {
	root := rootOfTest(t)
	for _, c := range append(verbs(root), root) {
		var out bytes.Buffer
		c.SetOut(&out)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		if c.Long == "" || !strings.HasSuffix(c.Long, ".") {
			t.Errorf("%s: the description is no sentence: %q", c.Name(), c.Long)
		}
		for line := range strings.Lines(out.String()) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > usage.Width {
				t.Errorf("%s: %d columns: %s", c.Name(), width, line)
			}
		}
		for _, bad := range []string{"true|false", "(default ", "\t"} {
			if strings.Contains(out.String(), bad) {
				t.Errorf("%s: --help has %q", c.Name(), bad)
			}
		}
	}
}

// Help begins with how a verb is used, and shows options by what they are about, each once.
func TestHelpOrder(t *testing.T) {
	create, _, err := rootOfTest(t).Find([]string{"create"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	create.SetOut(&out)
	if err := create.Help(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, title := range []string{"Make sandboxes for", "Usage:", "Examples:", "Make a sandbox for", "What runs:",
		"Storage:", "Network:", "Security:", "Bulk:", "Options of all verbs:"} {
		next := strings.Index(out.String()[at:], "\n"+title)
		if title == "Make sandboxes for" {
			next = strings.Index(out.String(), title)
		}
		if next < 0 {
			t.Errorf("%s does not follow in\n%s", title, &out)
			break
		}
		at += next
	}
	create.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if count := regexp.MustCompile(`(?m)^  (?:-.,|   ) --`+f.Name+`(?:$| )`).FindAllString(out.String(),
			-1); !f.Hidden && len(count) != 1 {
			t.Errorf("--%s is there %d times", f.Name, len(count))
		}
	})
}

// page writes the page of a verb (man(7)).
func page(c *cobra.Command) string {
	var b strings.Builder
	name := "virt-sandbox-service-" + c.Name()
	placeholders := words(c)
	fmt.Fprintf(&b, ".\\\" Made from cmd/virt-sandbox-service by go test ./cmd/virt-sandbox-service -update.\n")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"virt-sandbox\" \"User Commands\"\n", strings.ToUpper(escape(name)))
	// Long words, such as forms of -N, leave too little to adjust.
	fmt.Fprintf(&b, ".ad l\n.nh\n")
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", escape(name), escape(strings.ToLower(c.Short[:1])+c.Short[1:]))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n%s\n", synopsis(c))
	fmt.Fprintf(&b, ".SH DESCRIPTION\n%s", description(c.Long, placeholders))
	if len(c.Aliases) > 0 {
		fmt.Fprintf(&b, ".PP\nAlso called\n.BR %s .\n", strings.Join(c.Aliases, ", "))
	}
	groups := usage.GroupsOf(c)
	for i, group := range groups {
		if i == 0 {
			fmt.Fprint(&b, ".SH OPTIONS\n")
		}
		if len(groups) > 1 {
			fmt.Fprintf(&b, ".SS %s\n", group.Title)
		}
		if group.Text != "" {
			b.WriteString(description(group.Text, placeholders))
		}
		for _, name := range group.Options {
			b.WriteString(option(c.Flags().Lookup(name), placeholders))
		}
	}
	fmt.Fprintf(&b, ".SH OPTIONS OF ALL VERBS\n%s", optionsOf(c.InheritedFlags(), placeholders))
	if c.HasExample() {
		fmt.Fprintf(&b, ".SH EXAMPLES\n.nf\n%s.fi\n", verbatim(c.Example))
	}
	fmt.Fprintf(&b, ".SH SEE ALSO\n.BR virt\\-sandbox\\-service (1),\n.BR virt\\-sandbox.config (5)\n")
	return b.String()
}

// listOf writes a line for each verb.
func listOf(verbs []*cobra.Command) string {
	var b strings.Builder
	for _, c := range verbs {
		fmt.Fprintf(
			&b,
			".TP\n%s\n%s.\n",
			strings.Replace(synopsis(c), `\fBvirt\-sandbox\-service\fR `, "", 1),
			escape(c.Short),
		)
	}
	return b.String()
}

// synopsis sets words that are to be typed as they are in bold, and what stands for others in italics.
func synopsis(c *cobra.Command) string {
	rest := strings.TrimPrefix(usage.Line(c), c.CommandPath())
	return `\fB` + strings.ReplaceAll(escape(c.CommandPath()), " ", `\fR \fB`) + `\fR` + mark(rest, words(c))
}

func optionsOf(flags *pflag.FlagSet, placeholders []string) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			b.WriteString(option(f, placeholders))
		}
	})
	return b.String()
}

func option(f *pflag.Flag, placeholders []string) string {
	tag, text := usage.Describe(f)
	if f.Shorthand != "" {
		tag = "-" + f.Shorthand + ", " + tag
	}
	return fmt.Sprintf(".TP\n%s\n%s\n", mark(tag, placeholders), mark(text, placeholders))
}

// description sets plain text: paragraphs between empty lines, and in them lists, whose tags are indented by two blanks
// and their texts by more.
func description(text string, placeholders []string) string {
	var b strings.Builder
	inList := false
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 && !strings.HasPrefix(paragraph, "  ") {
			b.WriteString(".PP\n")
		}
		inList = false
		for _, line := range strings.Split(paragraph, "\n") {
			trimmed := strings.TrimSpace(line)
			if strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") {
				inList = true
				// Long forms can be broken behind their commas.
				b.WriteString(".TP\n" + strings.ReplaceAll(mark(trimmed, placeholders), ",", `,\:`) + "\n")
				continue
			} else if strings.HasPrefix(line, " ") && !inList {
				b.WriteString(".br\n")
			}
			b.WriteString(mark(trimmed, placeholders) + "\n")
		}
	}
	return b.String()
}

// words returns what stands for something else in a command: the arguments of the command and of its options.
func words(c *cobra.Command) []string {
	placeholder := regexp.MustCompile(`\b[A-Z]{2,}\b`)
	list := placeholder.FindAllString(c.Use, -1)
	add := func(f *pflag.Flag) {
		argument, _ := pflag.UnquoteUsage(f)
		list = append(list, placeholder.FindAllString(argument, -1)...)
	}
	c.LocalFlags().VisitAll(add)
	c.InheritedFlags().VisitAll(add)
	slices.Sort(list)
	return slices.Compact(list)
}

// mark sets options and pages of the manual in bold, and placeholders in italics.
func mark(text string, placeholders []string) string {
	marked := regexp.MustCompile(`(^|[ (\[|])(--?[A-Za-z][a-z-]*|[a-z][a-z.-]+\([1-9]\)|--)($|[^A-Za-z_/])`)
	text = marked.ReplaceAllStringFunc(text, func(match string) string {
		parts := marked.FindStringSubmatch(match)
		name, section, isPage := strings.Cut(parts[2], "(")
		if isPage {
			section = "(" + section
		}
		return parts[1] + "\x01" + name + "\x02" + section + parts[3]
	})
	if len(placeholders) > 0 {
		text = regexp.MustCompile(`\b(`+strings.Join(placeholders, "|")+`)\b`).ReplaceAllString(text, "\x03$1\x02")
	}
	return strings.NewReplacer("\x01", `\fB`, "\x02", `\fR`, "\x03", `\fI`).Replace(escape(text))
}

// verbatim sets lines as they are.
func verbatim(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(escape(strings.TrimPrefix(line, "  ")) + "\n")
	}
	return b.String()
}

// escape keeps text from being read as requests (groff_man_style(7)).
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...", "'", `\(aq`).Replace(text)
	if strings.HasPrefix(text, ".") {
		text = `\&` + text
	}
	return text
}

// replace puts a text between the two comments that name it.
func replace(t *testing.T, text, name, part string) string {
	t.Helper()
	before, rest, found := strings.Cut(text, `.\" Made from the commands: `+name+"\n")
	_, after, ends := strings.Cut(rest, `.\" End of `+name+"\n")
	if !found || !ends {
		t.Fatalf("%s has no place for %s", mainPage, name)
	}
	return before + `.\" Made from the commands: ` + name + "\n" + part + `.\" End of ` + name + "\n" + after
}
