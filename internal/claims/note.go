// SPDX-License-Identifier: Apache-2.0

package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/virt-sandbox/virt-sandbox/internal/places"
)

// noteName is the name of the note in a sandbox's directory of images.
const noteName = "claims"

// Note notes the claims of a new sandbox before their files are made, in place of any others, so that whoever comes
// after an interruption finds them.
func (b *Book) Note(ctx context.Context, name string, claims ...Claim) error {
	release, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return b.write(name, claims)
}

// Read returns what is noted of a sandbox; nothing where there is no note.
func (b *Book) Read(name string) ([]Claim, error) {
	data, err := os.ReadFile(filepath.Join(b.root.Of(name).Images(), noteName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var claims []Claim
	if err == nil {
		err = json.Unmarshal(data, &claims)
	}
	if err != nil {
		return nil, fmt.Errorf("read which images %s uses: %w", name, err)
	}
	return claims, nil
}

func (b *Book) write(name string, claims []Claim) error {
	dir := b.root.Of(name).Images()
	data, err := json.Marshal(claims)
	if err == nil {
		err = places.InRunBase(func() error {
			return errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(b.root.RunBase(), 0o711))
		})
	}
	if err == nil {
		err = renameio.WriteFile(filepath.Join(dir, noteName), data, 0o600, renameio.WithTempDir(dir))
	}
	if err != nil {
		return fmt.Errorf("note which images %s uses: %w", name, err)
	}
	return nil
}

// Forget removes the note of which images a sandbox uses. The images must be detached.
func (b *Book) Forget(name string) error {
	dir := b.root.Of(name).Images()
	// Only these: nothing of what is mounted below must ever be removed with it.
	files, err := filepath.Glob(filepath.Join(dir, "."+noteName+"*"))
	if err != nil {
		return err
	}
	for _, file := range append(files, filepath.Join(dir, noteName), dir) {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forget which images %s used: %w", name, err)
		}
	}
	// Gone with the last container.
	b.root.LeaveRunBase()
	return nil
}
