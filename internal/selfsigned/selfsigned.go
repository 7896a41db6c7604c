// SPDX-License-Identifier: Apache-2.0

// Package selfsigned makes certificates that sign themselves, for a service that is to speak TLS before it has one of
// its own. In: a name; out: a certificate and its key. Making content calls it.
package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Certificate is a certificate and its key, as PEM.
type Certificate struct{ Itself, Key []byte }

// New makes a certificate for a host of a name, as make-ssl-cert of Debian's ssl-cert does.
func New(name string) (*Certificate, error) {
	// One of RSA takes longer than all the rest of making a sandbox.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write a key: %w", err)
	}
	serial := sha256.Sum256(der)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial[:16]),
		Subject:      pkix.Name{CommonName: name},
		DNSNames:     []string{name},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		BasicConstraintsValid: true,
	}
	itself, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &Certificate{
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: itself}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, nil
}
