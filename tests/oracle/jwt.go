package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
)

// signJWT signs the claims B by the algorithm A with a key made for it. Out is
// a JSON object: the token, and as key the public key in PEM, or the secret.
func signJWT(q request) answer {
	header := fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, q.A)
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(q.B))
	signature, key, err := sign(q.A, []byte(signed))
	if err != nil {
		return verdict(err)
	}
	token := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	out, err := json.Marshal(map[string]string{"token": token, "key": key})
	return text(string(out), err)
}

func sign(algorithm string, message []byte) (signature []byte, key string, err error) {
	digest := sha256.Sum256(message)
	var public crypto.PublicKey
	switch algorithm {
	case "HS256":
		key := rand.Text() + rand.Text()
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write(message)
		return mac.Sum(nil), key, nil
	case "RS256", "PS256":
		pair, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, "", err
		}
		public = pair.Public()
		if algorithm == "RS256" {
			signature, err = rsa.SignPKCS1v15(nil, pair, crypto.SHA256, digest[:])
		} else {
			options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
			signature, err = rsa.SignPSS(rand.Reader, pair, crypto.SHA256, digest[:], options)
		}
		if err != nil {
			return nil, "", err
		}
	case "ES256":
		pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, "", err
		}
		r, s, err := ecdsa.Sign(rand.Reader, pair, digest[:])
		if err != nil {
			return nil, "", err
		}
		public, signature = pair.Public(), make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
	case "EdDSA":
		own, pair, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, "", err
		}
		public, signature = own, ed25519.Sign(pair, message)
	default:
		return nil, "", fmt.Errorf("unknown algorithm %q", algorithm)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	block := &pem.Block{Type: "PUBLIC KEY", Bytes: der}
	return signature, string(pem.EncodeToMemory(block)), err
}
