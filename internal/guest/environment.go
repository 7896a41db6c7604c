// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os"
	"path"
	"strings"
)

// showEnvironment has the services of a container get its variables: systemd passes on none of its own, but for what
// its configuration names (systemd-system.conf(5), DefaultEnvironment=). It lies below run, which is /run, so that each
// start says it anew; a mount there may be the container's own, and no link leads out of run.
func showEnvironment(run string, variables []string) error {
	if len(variables) == 0 {
		return nil
	}
	text := "[Manager]\n"
	for _, v := range variables {
		text += "DefaultEnvironment=" + quoteForSystemd(v) + "\n"
	}
	if err := writeBelow(run, map[string]string{"systemd/system.conf.d/80-virt-sandbox.conf": text}); err != nil {
		return fmt.Errorf("pass the environment to services: %w", err)
	}
	return nil
}

// showUnits puts units and drop-ins below run, which is /run, where systemd finds them.
func showUnits(run string, units map[string]string) error {
	files := make(map[string]string)
	for name, text := range units {
		files["systemd/system/"+name] = text
	}
	if err := writeBelow(run, files); err != nil {
		return fmt.Errorf("add to units: %w", err)
	}
	return nil
}

// writeBelow writes files below a directory, which no link leads out of.
func writeBelow(dir string, files map[string]string) error {
	if len(files) == 0 {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, text := range files {
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// quoteForSystemd makes one word of text, which systemd reads as it is (systemd.syntax(7)).
func quoteForSystemd(text string) string {
	var word strings.Builder
	word.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '%':
			word.WriteString("%%")
		case c == '"' || c == '\\' || c < ' ' || c == 0x7f:
			fmt.Fprintf(&word, "\\x%02x", c)
		default:
			word.WriteByte(c)
		}
	}
	word.WriteByte('"')
	return word.String()
}
