// SPDX-License-Identifier: Apache-2.0

package unitfile

import (
	"path"
	"strconv"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/internal/unitname"
)

// expand replaces the specifiers of systemd.unit(5) that can be part of a path.
func (u *Unit) expand(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	name, err := unitname.Parse(u.Name)
	if err != nil {
		return text // An alias leads to what is no unit, which nothing can run.
	}
	prefix, instance := name.Prefix(), name.Instance()
	last := prefix[strings.LastIndexByte(prefix, '-')+1:]
	named := instance
	if named == "" {
		named = prefix
	}
	file := ""
	if len(u.Files) > 0 {
		file = u.Files[0]
	}
	return strings.NewReplacer(
		"%%", "%", "%n", u.Name, "%N", name.Stem(), "%p", prefix, "%i", instance, "%j", last,
		"%P", unescape(prefix), "%I", unescape(instance), "%J", unescape(last), "%f", path.Join("/", unescape(named)),
		"%y", file, "%Y", path.Dir(file),
		"%S", "/var/lib", "%C", "/var/cache", "%L", "/var/log", "%t", "/run", "%E", "/etc", "%T", "/tmp", "%V", "/var/tmp",
		"%d", "/run/credentials/"+u.Name, "%h", "/root", "%u", "root", "%U", "0", "%g", "root", "%G", "0",
	).Replace(text)
}

// unescape turns part of a unit's name into what it stands for (systemd-escape(1)).
func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if code := text[i:]; len(code) >= 4 && strings.HasPrefix(code, `\x`) {
			if c, err := strconv.ParseUint(code[2:4], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		c := text[i]
		if c == '-' {
			c = '/'
		}
		b.WriteByte(c)
	}
	return b.String()
}
