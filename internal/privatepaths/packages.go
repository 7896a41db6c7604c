// SPDX-License-Identifier: Apache-2.0

package privatepaths

import (
	"context"
	"errors"
	"fmt"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// CheckPackages checks that packages are installed. Errors: pkgdb.ErrNoPackage.
func (h Planner) CheckPackages(ctx context.Context, names []string) error {
	for _, name := range names {
		var failure error = fmt.Errorf("%s: %w", name, pkgdb.ErrNoPackage)
		for _, db := range h.Packages {
			if _, failure = db.Package(ctx, name); !errors.Is(failure, pkgdb.ErrNoPackage) {
				break
			}
		}
		if failure != nil {
			return failure
		}
	}
	return nil
}
