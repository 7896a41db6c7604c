// SPDX-License-Identifier: Apache-2.0

package content

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virt-sandbox/virt-sandbox/internal/filestate"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
)

// Identity says whose a content is. It lies in the part of the tree that no container sees, and outlives what happens
// to the config.
type Identity struct {
	Name      string `json:"name"`
	UUID      string `json:"uuid"`
	MachineID string `json:"machine_id"`
	Level     string `json:"level,omitempty"` // that the content was labelled with
}

const identityName = filestate.OwnDir + "/identity"

// ReadIdentity reads whose the content at dir is; nil where it does not say.
func ReadIdentity(dir string) (*Identity, error) {
	data, err := filetree.ReadSmallIn(dir, identityName, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity of content: %w", err)
	}
	var id Identity
	if err := json.Unmarshal(data, &id); err != nil {
		return nil, fmt.Errorf("read identity of content %s: %w", dir, err)
	}
	return &id, nil
}

// identify notes whose the tree is: once, and anew for a sandbox that was renamed.
func (b *builder) identify() error {
	s := b.sandbox
	if id, err := ReadIdentity(s.Content); err != nil || (id != nil && id.Name == s.Name) {
		return err
	}
	data, err := json.Marshal(Identity{s.Name, s.UUID, s.MachineID, s.Security.Level})
	if err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	const temporary = identityName + ".new"
	f, err := b.tree.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	if err := b.tree.Rename(temporary, identityName); err != nil {
		return fmt.Errorf("note identity: %w", err)
	}
	return nil
}
