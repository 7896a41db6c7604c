package content

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strings"
)

// digester computes a digest and writes it as "algorithm:hexadecimal", as packages and the manifest do.
type digester struct {
	hash.Hash
	algorithm string
}

// newHash gives what computes digests of the algorithm of another one; nil where that is empty or of an unknown algorithm.
func newHash(like string) *digester {
	algorithm := algorithmOf(like)
	newOf, found := map[string]func() hash.Hash{
		"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
	}[algorithm]
	if !found {
		return nil
	}
	return &digester{newOf(), algorithm}
}

func algorithmOf(digest string) string {
	algorithm, _, _ := strings.Cut(digest, ":")
	return algorithm
}

// String is the digest of what was written.
func (d *digester) String() string { return d.algorithm + ":" + hex.EncodeToString(d.Sum(nil)) }

// sums are what the data of a file come to: for the manifest, and as its package says it.
type sums struct {
	own    *digester
	native *digester // nil where no package says it
}

// newSums gives what computes sums, the second in the algorithm of a package's digest.
func newSums(like string) *sums { return &sums{newHash("sha256:"), newHash(like)} }

// Write takes data in, in their order. There may be nobody who wants sums.
func (s *sums) Write(data []byte) (int, error) {
	if s != nil {
		s.own.Write(data)
		if s.native != nil {
			s.native.Write(data)
		}
	}
	return len(data), nil
}

// hole takes in what a hole of a file reads as.
func (s *sums) hole(ctx context.Context, size int64) error {
	var zeros [1 << 12]byte
	for ; s != nil && size > 0; size -= int64(len(zeros)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := s.Write(zeros[:min(size, int64(len(zeros)))]); err != nil {
			return err
		}
	}
	return nil
}
