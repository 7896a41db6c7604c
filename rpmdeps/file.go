package rpmdeps

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/virt-sandbox/virt-sandbox/internal/pkgdb"
)

// What comes before the header in a .rpm file: the lead, and the signature, which has the form of a header (rpm's
// document "RPM v4 package format").
const (
	leadSize    = 96
	leadMagic   = "\xed\xab\xee\xdb"
	headerMagic = "\x8e\xad\xe8\x01\x00\x00\x00\x00"
)

// ReadFile describes the package in a .rpm file.
func ReadFile(file string) (*pkgdb.Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	defer f.Close()
	pkg, err := readPackage(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("read package %s: %w", file, err)
	}
	return pkg, nil
}

func readPackage(r *bufio.Reader) (*pkgdb.Package, error) {
	var lead [leadSize]byte
	if _, err := io.ReadFull(r, lead[:]); err != nil {
		return nil, fmt.Errorf("lead: %w", err)
	}
	if string(lead[:len(leadMagic)]) != leadMagic {
		return nil, fmt.Errorf("it is no RPM package")
	}
	signature, err := readHeader(r)
	if err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if _, err := r.Discard(-len(signature) & 7); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	blob, err := readHeader(r)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return decodeBlob(blob)
}

// readHeader reads a header in the form that the database has it in.
func readHeader(r io.Reader) ([]byte, error) {
	start := make([]byte, len(headerMagic)+8)
	if _, err := io.ReadFull(r, start); err != nil {
		return nil, err
	}
	if string(start[:len(headerMagic)]) != headerMagic {
		return nil, fmt.Errorf("it does not begin like one")
	}
	sizes := start[len(headerMagic):]
	count, size := binary.BigEndian.Uint32(sizes), binary.BigEndian.Uint32(sizes[4:])
	if count > headerMaxIndex || size > headerMaxData {
		return nil, fmt.Errorf("it says %d entries and %d bytes, which is too much", count, size)
	}
	blob := make([]byte, 8+entrySize*count+size)
	copy(blob, sizes)
	_, err := io.ReadFull(r, blob[8:])
	return blob, err
}
