// SPDX-License-Identifier: Apache-2.0

package content

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
)

// identify notes whose the tree is: once, and anew for a sandbox that was renamed.
func (b *builder) identify() error {
	s := b.sandbox
	if id, err := filestate.ReadIdentity(s.Content); err != nil || (id != nil && id.Name == s.Name) {
		return err
	}
	data, err := json.Marshal(filestate.Identity{
		Name: s.Name, UUID: s.UUID, MachineID: s.MachineID, Level: s.Security.Level,
	})
	if err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	const temporary = filestate.IdentityName + ".new"
	f, err := b.tree.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	if err := b.tree.Rename(temporary, filestate.IdentityName); err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	return nil
}
