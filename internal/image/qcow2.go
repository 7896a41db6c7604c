// SPDX-License-Identifier: Apache-2.0

package image

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/virt-sandbox/virt-sandbox/config"
)

// Places and values in the header of an image in qcow2, whose numbers are big-endian (QEMU's docs/interop/qcow2.txt).
const (
	qcow2Magic        = "QFI\xfb"
	qcow2Backing      = 8  // offset of the backing file's name, 0 for none
	qcow2Crypt        = 32 // method of encryption, 0 for none
	qcow2HeaderV2     = 72
	qcow2Incompatible = 72 // features that a reader must know
	qcow2HeaderV3     = 104

	qcow2ExternalData = 1 << 2
	// Dirty, corrupt, external data, another compression, and extended L2 tables. One that is not known could name a file
	// too.
	qcow2Known = 1<<5 - 1
)

// checkSelfContained refuses an image that makes qemu-nbd, which is root's, open other files: its header can name any
// of the host, and need not come from this host.
func checkSelfContained(file string, format config.ImageFormat) error {
	if format != config.FormatQCOW2 {
		return nil
	}
	f, err := open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := checkQCOW2(f); err != nil {
		return fmt.Errorf("image %s: %w", file, err)
	}
	return nil
}

// checkQCOW2 reads the header of an image in qcow2.
func checkQCOW2(in io.Reader) error {
	header := make([]byte, qcow2HeaderV3)
	n, err := io.ReadFull(in, header)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read its header: %w", err)
	}
	if n < qcow2HeaderV2 || string(header[:len(qcow2Magic)]) != qcow2Magic {
		return errors.New("it is not in qcow2; say its format with format=")
	}
	features := uint64(0)
	switch version := binary.BigEndian.Uint32(header[4:]); {
	case version == 3 && n == qcow2HeaderV3:
		features = binary.BigEndian.Uint64(header[qcow2Incompatible:])
	case version == 3:
		return errors.New("its header is cut short")
	case version != 2:
		return fmt.Errorf("it is of version %d of qcow2; 2 and 3 are known", version)
	}
	const remedy = `; if you trust who made it, "qemu-img convert -O qcow2" makes one without`
	switch {
	case binary.BigEndian.Uint64(header[qcow2Backing:]) != 0:
		return errors.New("it has a backing file, which could be any of this host" + remedy)
	case features&qcow2ExternalData != 0:
		return errors.New("its data is in another file, which could be any of this host" + remedy)
	case features&^qcow2Known != 0:
		return fmt.Errorf("it has features that are not known (%#x)%s", features&^qcow2Known, remedy)
	case binary.BigEndian.Uint32(header[qcow2Crypt:]) != 0:
		return errors.New("it is encrypted" + remedy)
	}
	return nil
}
