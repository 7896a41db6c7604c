// SPDX-License-Identifier: Apache-2.0

package selfsigned

import (
	"crypto/tls"
	"testing"
)

// A certificate fits its key and names its host, however long the name.
func TestNew(t *testing.T) {
	for _, name := range []string{"web", "a.name_of-63-characters", ""} {
		made, err := New(name)
		if err != nil {
			t.Fatal(err)
		}
		pair, err := tls.X509KeyPair(made.Itself, made.Key)
		if err != nil {
			t.Fatal(err)
		}
		if got := pair.Leaf.Subject.CommonName; got != name {
			t.Errorf("it is of %q, want %q", got, name)
		}
	}
}
