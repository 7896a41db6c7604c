// SPDX-License-Identifier: Apache-2.0

package filetree

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

// Digester computes a digest and writes it as "algorithm:hexadecimal", as packages and the manifest do.
type Digester struct {
	hash.Hash
	algorithm string
}

// NewHash returns what computes digests of the algorithm of another one; nil where that is empty or of an unknown
// algorithm.
func NewHash(like string) *Digester {
	algorithm := algorithmOf(like)
	newOf, found := map[string]func() hash.Hash{
		"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
	}[algorithm]
	if !found {
		return nil
	}
	return &Digester{newOf(), algorithm}
}

func algorithmOf(digest string) string {
	algorithm, _, _ := strings.Cut(digest, ":")
	return algorithm
}

// String is the digest of what was written.
func (d *Digester) String() string { return d.algorithm + ":" + hex.EncodeToString(d.Sum(nil)) }

// Sums are what the data of a file come to: for the manifest, and as its package says it.
type Sums struct {
	Own    *Digester
	Native *Digester // nil where no package says it
}

// NewSums returns what computes sums, the second in the algorithm of a package's digest.
func NewSums(like string) *Sums { return &Sums{NewHash("sha256:"), NewHash(like)} }

// Write takes data in, in their order. There may be nobody who wants sums.
func (s *Sums) Write(data []byte) (int, error) {
	if s != nil {
		s.Own.Write(data)
		if s.Native != nil {
			s.Native.Write(data)
		}
	}
	return len(data), nil
}

// hole takes in what a hole of a file reads as.
func (s *Sums) hole(ctx context.Context, size int64) error {
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
