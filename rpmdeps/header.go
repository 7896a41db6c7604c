package rpmdeps

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cavaliergopher/rpm"

	"github.com/virt-sandbox/virt-sandbox/helper/content"
)

// Tags and flags of the RPM header that the library has no accessor for (rpm's "RPM package tags" and
// "RPM file flags" documents).
const (
	tagDigestAlgorithm = 5011

	flagConfig = 1 << 0

	headerMaxIndex = 1 << 16
	headerMaxData  = 32 << 20
)

// ReadFile describes the package in a .rpm file.
func ReadFile(file string) (*content.Package, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read package: %w", err)
	}
	defer f.Close()
	pkg, err := decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("read package %s: %w", file, err)
	}
	return pkg, nil
}

// decodeBlob describes the package whose header is a value of the database: the header of its .rpm file without the
// magic. The library reads whole files only, so the parts before the header are supplied empty.
func decodeBlob(blob []byte) (*content.Package, error) {
	if len(blob) < 8 {
		return nil, fmt.Errorf("header of %d bytes is too short", len(blob))
	}
	index, size := binary.BigEndian.Uint32(blob), binary.BigEndian.Uint32(blob[4:])
	if index > headerMaxIndex || size > headerMaxData || uint64(len(blob)) < 8+16*uint64(index)+uint64(size) {
		return nil, fmt.Errorf("header says %d entries and %d bytes, which do not fit", index, size)
	}
	lead := make([]byte, 96)
	copy(lead, []byte{0xed, 0xab, 0xee, 0xdb, 3, 0})
	magic := []byte{0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0}
	emptySignature := append(bytes.Clone(magic), make([]byte, 8)...)
	return decode(io.MultiReader(bytes.NewReader(lead), bytes.NewReader(emptySignature), bytes.NewReader(magic), bytes.NewReader(blob)))
}

func decode(r io.Reader) (pkg *content.Package, err error) {
	defer func() {
		// The library indexes into what the header claims; a damaged header must not end the program.
		if problem := recover(); problem != nil {
			pkg, err = nil, fmt.Errorf("damaged header: %v", problem)
		}
	}()
	header, err := rpm.Read(fullReader{r})
	if err != nil {
		return nil, err
	}
	pkg = &content.Package{
		Name:    header.Name(),
		Version: header.Version() + "-" + header.Release(),
		Source:  sourceName(header.SourceRPM()),
	}
	algorithm := digestName(header.Header.GetTag(tagDigestAlgorithm).Int64())
	for _, f := range header.Files() {
		file := content.File{
			Path: f.Name(), Mode: f.Mode(), User: f.Owner(), Group: f.Group(),
			Config: f.Flags()&flagConfig != 0, LinkTarget: f.Linkname(),
		}
		if f.Mode().IsRegular() && f.Digest() != "" {
			file.Digest = algorithm + ":" + f.Digest()
		}
		pkg.Files = append(pkg.Files, file)
	}
	return pkg, nil
}

// fullReader fills each read, since the library takes short ones for whole ones.
type fullReader struct{ r io.Reader }

func (f fullReader) Read(p []byte) (int, error) { return io.ReadFull(f.r, p) }

// sourceName cuts version and release from the name of a source RPM: httpd-2.4.62-1.fc41.src.rpm is of httpd.
func sourceName(file string) string {
	name := strings.TrimSuffix(strings.TrimSuffix(file, ".rpm"), ".src")
	for range 2 {
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
	}
	return name
}

// digestName names a hash of RFC 4880 section 9.4, which RPM's header refers to; 0 is the MD5 of old packages.
func digestName(algorithm int64) string {
	switch algorithm {
	case 8:
		return "sha256"
	case 9:
		return "sha384"
	case 10:
		return "sha512"
	case 2:
		return "sha1"
	}
	return "md5"
}
