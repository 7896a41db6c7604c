// SPDX-License-Identifier: Apache-2.0

package innersystemd

import (
	"context"
	"fmt"
	"strings"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Reloadable returns the units of a container that are to be reloaded: those that are named, or else its own that can.
// One that is named and cannot be is refused, before any other is. look returns the state of a unit inside.
func Reloadable(
	ctx context.Context, look func(context.Context, string) (State, error), s *config.Sandbox, named []string,
) ([]string, error) {
	asked := named
	if len(named) == 0 {
		asked = s.Units
	}
	var units []string
	for _, unit := range asked {
		state, err := look(ctx, unit)
		if err != nil {
			return nil, err
		}
		switch {
		case len(named) > 0 && state.Load != "loaded":
			return nil, fmt.Errorf("%s inside is %s", unit, state.Load)
		case len(named) > 0 && state.Active != "active":
			return nil, fmt.Errorf("%s inside is %s, and only what is active can be reloaded", unit, state.Active)
		case state.CanReload:
			units = append(units, unit)
		case len(named) > 0:
			return nil, fmt.Errorf("%s inside has no ExecReload=; restart it", unit)
		}
	}
	if len(units) == 0 {
		return nil, fmt.Errorf("%s of %s cannot be reloaded; restart it", strings.Join(s.Units, ", "), s.Name)
	}
	return units, nil
}
