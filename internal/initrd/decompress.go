// SPDX-License-Identifier: Apache-2.0

package initrd

import (
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

// What packed data begins with.
const (
	gzipMagic  = "\x1f\x8b"
	xzMagic    = "\xfd7zXZ\x00"
	zstdMagic  = "\x28\xb5\x2f\xfd"
	bzip2Magic = "BZh"
)

// maxUnpacked bounds what a module or a kernel may become when unpacked.
const maxUnpacked = 512 << 20

// readModule returns the content of a module's file, unpacked: the kernel takes packed ones from 5.17 on only, and not
// all kinds.
func readModule(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxUnpacked+1))
	if err != nil {
		return nil, err
	}
	unpacked, err := unpack(data)
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", file, err)
	}
	if !bytes.HasPrefix(unpacked, []byte(elfMagic)) {
		return nil, fmt.Errorf("%s is no kernel module, or packed in a way other than gzip, xz and zstd", file)
	}
	return unpacked, nil
}

// unpack undoes the compression that the first bytes tell of; what has none is given back.
func unpack(data []byte) ([]byte, error) {
	r, err := unpacker(data)
	if err != nil || r == nil {
		return data, err
	}
	unpacked, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return nil, err
	}
	if len(unpacked) > maxUnpacked {
		return nil, fmt.Errorf("it has more than %d bytes", maxUnpacked)
	}
	return unpacked, nil
}

// unpacker reads one packed stream, and nothing behind it.
func unpacker(data []byte) (io.Reader, error) {
	in := bytes.NewReader(data)
	switch {
	case bytes.HasPrefix(data, []byte(gzipMagic)):
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return r, nil
	case bytes.HasPrefix(data, []byte(xzMagic)):
		r, err := xz.NewReader(in, 0)
		if err != nil {
			return nil, err
		}
		r.Multistream(false)
		return r, nil
	case bytes.HasPrefix(data, []byte(zstdMagic)):
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxUnpacked))
	case bytes.HasPrefix(data, []byte(bzip2Magic)):
		return bzip2.NewReader(in), nil
	}
	return nil, nil
}
