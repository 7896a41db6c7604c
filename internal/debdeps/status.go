// SPDX-License-Identifier: Apache-2.0

package debdeps

import (
	"bytes"
	"strings"
)

// parseStatus reads the packages of a status file (deb-control(5) paragraphs) that have files in place.
func parseStatus(data []byte) map[string]*record {
	packages := make(map[string]*record)
	addStatus(packages, data)
	return packages
}

// addStatus is parseStatus for paragraphs that take the place of earlier ones for the same packages.
func addStatus(packages map[string]*record, data []byte) {
	for paragraph := range bytes.SplitSeq(data, []byte("\n\n")) {
		r := &record{conffiles: make(map[string]string)}
		inPlace, sameArch, field := false, false, ""
		for l := range bytes.SplitSeq(paragraph, []byte("\n")) {
			text := string(l)
			if strings.HasPrefix(text, " ") {
				if field == "Conffiles" {
					r.addConffile(text)
				}
				continue
			}
			var value string
			field, value, _ = strings.Cut(text, ":")
			value = strings.TrimSpace(value)
			switch field {
			case "Package":
				r.name = value
			case "Status":
				r.unfinished, inPlace = stateOf(value)
			case "Version":
				r.version = value
			case "Source":
				r.source, _, _ = strings.Cut(value, " ")
			case "Depends", "Pre-Depends":
				r.depends = append(r.depends, relations(value)...)
			case "Architecture":
				r.arch = value
			case "Multi-Arch":
				sameArch = value == "same"
			}
		}
		key := r.name
		if sameArch {
			key += ":" + r.arch
		}
		if !inPlace || r.name == "" || !safeKey(key) {
			delete(packages, key)
			continue
		}
		if r.source == "" {
			r.source = r.name
		}
		packages[key] = r
	}
}

// relations returns the names in a field of relationships, also those of alternatives (deb-control(5), Depends).
func relations(value string) (names []string) {
	for relation := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == '|' }) {
		name, _, _ := strings.Cut(strings.TrimSpace(relation), " ")
		name, _, _ = strings.Cut(name, "(")
		if name, _, _ = strings.Cut(name, ":"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// stateOf reports whether a package has files in place (dpkg(1), package states), and the state of one whose files are
// not all where its programs look for them: dpkg puts configuration files there when it configures the package. One
// that its own script to configure it has failed for, or is being run for, has them.
func stateOf(status string) (unfinished string, inPlace bool) {
	switch state := status[strings.LastIndexByte(status, ' ')+1:]; state {
	case "installed", "triggers-pending", "triggers-awaited", "half-configured":
		return "", true
	case "unpacked", "half-installed":
		return state, true
	default:
		return "", false
	}
}

// safeKey keeps a damaged status file from naming info files elsewhere.
func safeKey(key string) bool { return !strings.ContainsAny(key, "/\x00") }

// addConffile reads " PATH MD5", which a note may follow. The path may have spaces.
func (r *record) addConffile(line string) {
	line, obsolete := strings.CutSuffix(strings.TrimSpace(line), " obsolete")
	if strings.HasSuffix(line, " remove-on-upgrade") {
		return // the package says that it has this file no more
	}
	if i := strings.LastIndexByte(line, ' '); i > 0 {
		r.conffiles[line[:i]] = line[i+1:]
		if obsolete {
			r.obsolete = append(r.obsolete, line[:i])
		}
	}
}
