// SPDX-License-Identifier: Apache-2.0

package places

import (
	"os"
	"path/filepath"
)

// staleFile says, in a word that means nothing else, why the container ought to be restarted.
const staleFile = "stale"

// NoteStale records why a container ought to be restarted; "" for no reason. It reports whether that is another reason
// than before. A container that ends meanwhile has none.
func NoteStale(d RunDir, reason string) bool {
	file := filepath.Join(d.path, staleFile)
	if reason == "" {
		os.Remove(file)
		return false
	}
	before, _ := os.ReadFile(file)
	return string(before) != reason && os.WriteFile(file, []byte(reason), 0o600) == nil
}

// IsStale reports whether NoteStale had a reason.
func IsStale(d RunDir) bool {
	_, err := os.Lstat(filepath.Join(d.path, staleFile))
	return err == nil
}

// heldFile has the reason for which a container is not restarted any more by itself.
const heldFile = "held"

// Hold has a container not be restarted by itself for a reason that NoteStale had: another did not come back.
func Hold(d RunDir, reason string) {
	// One that has ended meanwhile needs no restart.
	_ = os.WriteFile(filepath.Join(d.path, heldFile), []byte(reason), 0o600)
}

// IsHeld reports whether Hold was called for the reason.
func IsHeld(d RunDir, reason string) bool {
	text, err := os.ReadFile(filepath.Join(d.path, heldFile))
	return err == nil && string(text) == reason
}
