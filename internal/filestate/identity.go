// SPDX-License-Identifier: Apache-2.0

package filestate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/google/uuid"

	"github.com/virt-sandbox/virt-sandbox/config"
	"github.com/virt-sandbox/virt-sandbox/internal/filetree"
	"github.com/virt-sandbox/virt-sandbox/internal/printable"
)

// Identity says whose a content is. It lies in the part of the tree that no container sees, and outlives what happens
// to the config.
type Identity struct {
	Name      string `json:"name"`
	UUID      string `json:"uuid"`
	MachineID string `json:"machine_id"`
	Level     string `json:"level,omitempty"` // that the content was labelled with
}

// IdentityName is its place in the tree.
const IdentityName = OwnDir + "/identity"

// ReadIdentity reads whose the content at dir is; nil where it does not say.
func ReadIdentity(dir string) (*Identity, error) {
	data, err := filetree.ReadSmallIn(dir, IdentityName, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity of content: %w", err)
	}
	id, err := parseIdentity(data)
	if err != nil {
		return nil, fmt.Errorf("read identity of content %s: %w", dir, err)
	}
	return id, nil
}

// parseIdentity reads an identity, which in an image can be anybody's: what it says becomes names and messages.
func parseIdentity(data []byte) (*Identity, error) {
	var id Identity
	if err := json.Unmarshal(data, &id); err != nil {
		return nil, err
	}
	_, noUUID := uuid.Parse(id.UUID)
	switch {
	case id.Name != "" && config.CheckName(id.Name) != nil:
		return nil, errors.New("what it has is no name of a sandbox")
	case id.UUID != "" && noUUID != nil:
		return nil, errors.New("what it has is no UUID")
	case id.MachineID != "" && !IsMachineID(id.MachineID):
		return nil, errors.New("what it has is no machine ID")
	case printable.Short(id.Level, 256) != id.Level:
		return nil, errors.New("what it has is no level")
	}
	return &id, nil
}

// IsMachineID reports whether a text is a machine ID (machine-id(5)).
func IsMachineID(id string) bool { return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" }
