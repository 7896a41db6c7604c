// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"errors"
	"fmt"
	"os"
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
	root, err := os.OpenRoot(run)
	if err != nil {
		return fmt.Errorf("pass the environment to services: %w", err)
	}
	defer root.Close()
	const dir = "systemd/system.conf.d"
	err = errors.Join(root.MkdirAll(dir, 0o755), root.WriteFile(dir+"/80-virt-sandbox.conf", []byte(text), 0o644))
	if err != nil {
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
