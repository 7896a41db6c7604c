// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// commonAccounts are those of every distribution: what belongs to them is of no package in particular.
func commonAccounts() []string {
	return []string{
		"adm", "audio", "backup", "bin", "cdrom", "daemon", "dialout", "dip", "disk", "fax", "floppy", "games", "irc",
		"kmem", "list", "lp", "mail", "man", "news", "nobody", "nogroup", "operator", "plugdev", "proxy", "root", "sasl",
		"shadow", "src", "ssl-cert", "staff", "sudo", "sync", "sys", "tape", "tty", "users", "utmp", "uucp", "video",
		"voice", "wheel", "www-data",
	}
}

// addedAccounts returns the names of users and groups that a package adds to a host: by sysusers.d(5), and by its
// scripts.
func (h Planner) addedAccounts(pkg *pkgdb.Package) []string {
	var names []string
	for _, f := range pkg.Below("/usr/lib/sysusers.d") {
		text, err := os.ReadFile(h.Root + f.Path)
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(text)) {
			if words := strings.Fields(l); len(words) > 1 && strings.Contains("ug", words[0][:1]) {
				names = append(names, words[1])
			}
		}
	}
	for _, script := range pkg.Scripts {
		names = append(names, scriptAccounts(script)...)
	}
	return slices.DeleteFunc(names, func(name string) bool { return slices.Contains(commonAccounts(), name) })
}

// scriptAccounts returns words of a shell script that can be names of accounts which it adds: those that it gives to
// adduser and its kin, with the values of variables that it sets to plain words. It may return more; who asks looks
// which are accounts.
func scriptAccounts(script string) []string {
	script = strings.ReplaceAll(script, "\\\n", " ")
	variables := make(map[string][]string)
	var names []string
	for l := range strings.Lines(script) {
		words := shellWords(l)
		noteVariables(variables, words)
		at := slices.IndexFunc(words, func(word string) bool {
			return slices.Contains([]string{"adduser", "useradd", "addgroup", "groupadd"}, path.Base(word))
		})
		if at < 0 {
			continue
		}
		// "adduser USER GROUP" puts one that is there into a group of others.
		isSystems := slices.ContainsFunc(words[at:], func(word string) bool { return word == "--system" || word == "-r" })
		if !isSystems && !strings.HasSuffix(words[at], "add") {
			continue
		}
		ofOthers := false // whether the word is the value of an option that names a group which is there
		for _, word := range words[at+1:] {
			if word == commandEnd {
				break
			}
			if !ofOthers && !strings.HasPrefix(word, "-") {
				names = append(names, expandWord(variables, word)...)
			}
			ofOthers = slices.Contains([]string{"--ingroup", "--gid", "-g", "--groups", "-G"}, word)
		}
	}
	return names
}

// noteVariables notes what a line of a script sets variables to: NAME=WORD, and for NAME in WORD….
func noteVariables(variables map[string][]string, words []string) {
	for i, word := range words {
		if name, value, isSet := strings.Cut(word, "="); isSet && isVariable(name) {
			// In a script that asks for it, the default counts: ${NAME:-WORD}.
			if _, fallback, found := strings.Cut(value, ":-"); found {
				value = strings.TrimSuffix(fallback, "}")
			}
			variables[name] = append(variables[name], strings.Fields(value)...)
		}
		if word == "for" && i+2 < len(words) && words[i+2] == "in" {
			for _, value := range words[i+3:] {
				if value == commandEnd {
					break
				}
				variables[words[i+1]] = append(variables[words[i+1]], value)
			}
		}
	}
}

func isVariable(name string) bool {
	return name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789") == ""
}

// expandWord replaces a word that is a variable by what that was set to.
func expandWord(variables map[string][]string, word string) []string {
	name, isVariable := strings.CutPrefix(word, "$")
	if !isVariable {
		return []string{word}
	}
	return variables[strings.Trim(name, "{}")]
}

// commandEnd stands for what ends a command.
const commandEnd = ";"

// shellWords splits a line at blanks and at what ends a command, which is a word of its own. What quotes hold
// together is one word, without them.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	quote, inWord := rune(0), false
	end := func() {
		if inWord {
			words = append(words, word.String())
			word.Reset()
		}
		inWord = false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, inWord = c, true
		case c == '#' && !inWord:
			end()
			return words
		case strings.ContainsRune(" \t\n", c):
			end()
		case strings.ContainsRune(";&|()<>`", c):
			end()
			words = append(words, commandEnd)
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	end()
	return words
}
