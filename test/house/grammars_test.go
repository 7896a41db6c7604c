// SPDX-License-Identifier: Apache-2.0

package house

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// parsers are the packages that alone take apart texts of a grammar, by a literal that only a parser of it needs.
var parsers = map[string]string{
	"@":  "internal/unitname", // systemd.unit(5)
	"@.": "internal/unitname",
}

// elsewhere are the files that have such a literal for something else, with the reason.
var elsewhere = map[string]string{
	"internal/wellformed/wellformed.go": "a config's unit has no second @, which internal/unitname takes",
	"internal/configtree/configtree.go": "an instance of a template of sandboxes",
	"internal/configtree/listing.go":    "drop-ins for a template of sandboxes",
	"internal/specifier/specifier.go":   "an instance of a template of sandboxes",
	"internal/guest/run.go":             "the address of an abstract socket (sd_notify(3))",
}

// TestOneParserOfUnitNames: who else needs the parts of a unit's name asks internal/unitname.
func TestOneParserOfUnitNames(t *testing.T) {
	eachLiteral(t, func(position token.Position, text string) {
		owner, isParsers := parsers[text]
		file, err := filepath.Rel(root, position.Filename)
		if err != nil {
			t.Fatal(err)
		}
		if !isParsers || strings.HasPrefix(file, owner+"/") || elsewhere[file] != "" {
			return
		}
		t.Errorf("%s: %q takes a name apart that %s knows", position, text, owner)
	})
}

// colons are the files that take a text apart at colons, with what it is. An SELinux context is internal/secontext's.
var colons = map[string]string{
	"config/value.go":                      "an option KIND:VALUE",
	"internal/idmap/idmap.go":              "BASE:COUNT",
	"internal/wellformed/wellformed.go":    "an origin, package:NAME",
	"internal/initrd/modules.go":           "a line of modules.dep",
	"internal/secontext/secontext.go":      "a context",
	"internal/filetree/digest.go":          "a digest, ALGORITHM:HEX",
	"internal/account/account.go":          "a line of passwd(5)",
	"internal/account/lists.go":            "a line of passwd(5)",
	"internal/privatepaths/planupgrade.go": "an origin, package:NAME",
	"internal/privatepaths/plan.go":        "a word of StateDirectory=, NAME:LINK",
	"internal/privatepaths/secrets.go":     "a word of LoadCredential=, ID:PATH",
	"internal/unitfile/mounting.go":        "words of BindPaths= and TemporaryFileSystem=, PATH:PATH:OPTIONS",
	"internal/alloc/ids.go":                "a line of subuid(5)",
	"internal/cgroup/cgroup.go":            "a line of /proc/PID/cgroup",
	"internal/guest/enter.go":              "a list of directories",
	"internal/debdeps/status.go":           "a field of dpkg's status",
	"internal/mcs/policy.go":               "a line of seusers",
	"internal/mcs/level.go":                "a level, SENSITIVITY:CATEGORIES",
	"internal/directive/directive.go":      "limits, SOFT:HARD",
	"internal/console/serve.go":            "what the first process passes on to the next, FD:FRAME",
}

// takesApart matches the functions of package strings that do so.
var takesApart = regexp.MustCompile(`^(Split(After)?(N|Seq)?|Cut|(Last)?Index)$`)

// TestOneParserOfContexts: what takes a text apart at colons says here that it is no SELinux context.
func TestOneParserOfContexts(t *testing.T) {
	eachFile(t, func(set *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, isCall := n.(*ast.CallExpr)
			if !isCall || len(call.Args) < 2 {
				return true
			}
			function, isSelector := call.Fun.(*ast.SelectorExpr)
			separator, isLiteral := call.Args[1].(*ast.BasicLit)
			if !isSelector || !isLiteral || !takesApart.MatchString(function.Sel.Name) || separator.Value != `":"` {
				return true
			}
			position := set.Position(call.Pos())
			name, err := filepath.Rel(root, position.Filename)
			if err != nil {
				t.Fatal(err)
			}
			if colons[name] == "" {
				t.Errorf("%s: %s at colons; a context is internal/secontext's, anything else belongs into the list",
					position, function.Sel.Name)
			}
			return true
		})
	})
}

// TestOneParserOfMounts: who asks for mounts asks github.com/moby/sys/mountinfo. The one place that opens the file
// itself gives it to that to read.
func TestOneParserOfMounts(t *testing.T) {
	eachLiteral(t, func(position token.Position, text string) {
		file, err := filepath.Rel(root, position.Filename)
		if err != nil {
			t.Fatal(err)
		}
		isTable := text == "mountinfo" || text == "/etc/mtab" || strings.HasPrefix(text, "/proc/") &&
			(strings.HasSuffix(text, "/mountinfo") || strings.HasSuffix(text, "/mounts"))
		if isTable && file != "internal/proc/files.go" {
			t.Errorf("%s: %q is read here; ask github.com/moby/sys/mountinfo", position, text)
		}
	})
}
