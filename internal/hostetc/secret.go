// SPDX-License-Identifier: Apache-2.0

package hostetc

import (
	"bytes"
	"regexp"
	"strings"
)

// keyLine is the beginning of a private key in text: PEM (RFC 7468), OpenPGP (RFC 9580), PuTTY, and what WireGuard's
// wg(8) and systemd.netdev(5) have in their configuration.
var keyLine = regexp.MustCompile(`(?mi)^(?:-----BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File-` +
	`|[ \t]*(?:Private|Preshared)Key[ \t]*=[ \t]*[A-Za-z0-9+/]{43}=)`)

// isSecret reports whether a file that everybody may read holds what nobody else should have. path is below /etc.
func isSecret(path string, data []byte) bool {
	// A keytab of Kerberos begins with its version.
	return keyLine.Match(data) || strings.HasSuffix(path, "keytab") && bytes.HasPrefix(data, []byte{5})
}

// withoutHashes returns the text of passwd(5) or group(5) without passwords, which hosts had there once.
func withoutHashes(data []byte) []byte {
	var out bytes.Buffer
	for l := range bytes.Lines(data) {
		name, rest, found := bytes.Cut(l, []byte(":"))
		password, tail, more := bytes.Cut(rest, []byte(":"))
		if found && more && string(password) != "x" {
			l = bytes.Join([][]byte{name, []byte("*"), tail}, []byte(":"))
		}
		out.Write(l)
	}
	return out.Bytes()
}
