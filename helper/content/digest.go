package content

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// digester computes a digest and writes it as "algorithm:hexadecimal", as packages and the manifest do.
type digester struct {
	hash.Hash
	algorithm string
}

// newHash gives what computes digests of the algorithm of another one; nil where that is empty or of an unknown algorithm.
func newHash(like string) *digester {
	algorithm := algorithmOf(like)
	make, found := map[string]func() hash.Hash{
		"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
	}[algorithm]
	if !found {
		return nil
	}
	return &digester{make(), algorithm}
}

func algorithmOf(digest string) string {
	algorithm, _, _ := strings.Cut(digest, ":")
	return algorithm
}

// String is the digest of what was written.
func (d *digester) String() string { return d.algorithm + ":" + hex.EncodeToString(d.Sum(nil)) }

// hashFile gives the digest of a regular file; of anything else none.
func hashFile(file string, d *digester) (string, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", err
	}
	if _, err := io.Copy(d, f); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return d.String(), nil
}
