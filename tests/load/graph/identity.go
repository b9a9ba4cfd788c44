package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// An identity is the certificate for localhost that all servers of a run show, and the authority that all clients trust,
// as files. They are two, because not every client takes an authority's own certificate from a server.
type identity struct {
	certificate, key, authority string
}

// newIdentity makes one in DIR/tls.
func newIdentity(dir string) (*identity, error) {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	above := template(1, "graph authority")
	above.IsCA, above.KeyUsage = true, x509.KeyUsageCertSign
	leaf := template(2, "localhost")
	leaf.DNSNames, leaf.ExtKeyUsage = []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	authority, err := x509.CreateCertificate(rand.Reader, above, above, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.CreateCertificate(rand.Reader, leaf, above, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, "tls")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	made := &identity{filepath.Join(folder, "certificate.pem"), filepath.Join(folder, "key.pem"), filepath.Join(folder, "authority.pem")}
	for file, block := range map[string]*pem.Block{
		made.certificate: {Type: "CERTIFICATE", Bytes: certificate},
		made.authority:   {Type: "CERTIFICATE", Bytes: authority},
		made.key:         {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// template is what both certificates have.
func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(7 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}
