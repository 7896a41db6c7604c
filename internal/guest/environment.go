// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// showEnvironment has the services of a container get its variables: systemd passes on none of its own, but for what
// its configuration names (systemd-system.conf(5), DefaultEnvironment=). dir is one of its configuration, in /run, so
// that each start says it anew.
func showEnvironment(dir string, variables []string) error {
	if len(variables) == 0 {
		return nil
	}
	text := "[Manager]\n"
	for _, v := range variables {
		text += "DefaultEnvironment=" + quoteForSystemd(v) + "\n"
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pass the environment to services: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "80-virt-sandbox.conf"), []byte(text), 0o644); err != nil {
		return fmt.Errorf("pass the environment to services: %w", err)
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
