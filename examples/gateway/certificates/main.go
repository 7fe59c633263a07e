// Command certificates makes an authority that lives for a day, and certificates for the proxy
// (localhost) and one client. It is for trying things out; the real ones come from your authority.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log"
	"net"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: certificates DIRECTORY")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ca, err := issue(dir, "ca", template("authority"), nil)
	if err != nil {
		return err
	}
	_, serverErr := issue(dir, "server", template("localhost"), ca)
	_, clientErr := issue(dir, "client", template("ada"), ca)
	return errors.Join(serverErr, clientErr)
}

// template is good for each of the three, as nobody here asks what a certificate is for.
func template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

type issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// issue writes NAME.pem and NAME.key. Without an issuer it makes an authority.
func issue(dir, name string, cert *x509.Certificate, by *issuer) (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	self := &issuer{certificate: cert, key: key}
	if by == nil {
		cert.IsCA, cert.KeyUsage = true, x509.KeyUsageCertSign
		by = self
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, by.certificate, key.Public(), by.key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return self, errors.Join(
		write(filepath.Join(dir, name+".pem"), "CERTIFICATE", der, 0o644),
		write(filepath.Join(dir, name+".key"), "PRIVATE KEY", pkcs8, 0o600))
}

func write(path, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}
