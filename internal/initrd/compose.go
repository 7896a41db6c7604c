// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cavaliergopher/cpio"

	"github.com/virt-sandbox/virt-sandbox/internal/guest"
)

// Compose writes the initrd of one machine: one of the cache, and the plan behind it in an archive of its own, as the
// kernel takes them. Nobody else may read the file, for a plan may have secrets in its environment.
func Compose(file, cached string, plan *guest.Plan) (err error) {
	data, err := plan.Encode()
	if err != nil {
		return err
	}
	in, err := os.Open(cached)
	if err != nil {
		return fmt.Errorf("compose initrd: %w", err)
	}
	defer in.Close()
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("compose initrd: %w", err)
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			os.Remove(file)
		}
	}()
	size, err := io.Copy(out, in)
	if err != nil {
		return fmt.Errorf("compose initrd: %w", err)
	}
	// The next archive begins where four divide.
	if _, err := out.Write(make([]byte, -size&3)); err != nil {
		return fmt.Errorf("compose initrd: %w", err)
	}
	w := archive{cpio.NewWriter(out)}
	if err := w.add(guest.PlanFile, cpio.TypeReg|0o400, data); err != nil {
		return err
	}
	return w.Close()
}
