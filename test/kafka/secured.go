package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// secured is what the brokers' secured listeners share.
type secured struct {
	caFile     string
	properties map[string]string
}

// SASLBrokers are the addresses of the SASL listeners without TLS. Empty
// without Options.Secured, here and below.
func (c *Cluster) SASLBrokers() []string { return c.addrs(saslPlain) }

// SASLTLSBrokers are the addresses of the listeners with SASL and TLS.
func (c *Cluster) SASLTLSBrokers() []string { return c.addrs(saslTLS) }

// TLSBrokers are the addresses of the listeners with TLS alone.
func (c *Cluster) TLSBrokers() []string { return c.addrs(onlyTLS) }

// CAFile is the PEM file of the authority that signed the brokers'
// certificate, which is good for 127.0.0.1 and localhost.
func (c *Cluster) CAFile() string {
	if c.secured == nil {
		return ""
	}
	return c.secured.caFile
}

func (c *Cluster) addrs(l listener) (addrs []string) {
	if c.secured == nil {
		return nil
	}
	for _, n := range c.Nodes {
		addrs = append(addrs, n.addr(l))
	}
	return addrs
}

// newSecured makes an authority and the brokers' certificate below dir.
func newSecured(dir string) (*secured, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "engage-worker tests"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    ca.NotBefore,
		NotAfter:     ca.NotAfter,
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certDER, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	s := &secured{caFile: filepath.Join(dir, "ca.pem")}
	keystore := filepath.Join(dir, "broker.pem")
	if err := writePEM(s.caFile, &pem.Block{Type: "CERTIFICATE", Bytes: caDER}); err != nil {
		return nil, err
	}
	if err := writePEM(keystore, &pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}, &pem.Block{Type: "CERTIFICATE", Bytes: certDER}); err != nil {
		return nil, err
	}
	const (
		plainLogin = `org.apache.kafka.common.security.plain.PlainLoginModule required user_%s="%s";`
		scramLogin = `org.apache.kafka.common.security.scram.ScramLoginModule required;`
		// The broker's own token, which a login module wants; nobody uses it.
		oauthLogin = `org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`
	)
	s.properties = map[string]string{
		"ssl.keystore.type":       "PEM",
		"ssl.keystore.location":   keystore,
		"ssl.truststore.type":     "PEM",
		"ssl.truststore.location": s.caFile,
		"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
	}
	for _, listener := range []string{"sasl_plaintext", "sasl_ssl"} {
		s.properties["listener.name."+listener+".plain.sasl.jaas.config"] = fmt.Sprintf(plainLogin, Username, Password)
		s.properties["listener.name."+listener+".scram-sha-256.sasl.jaas.config"] = scramLogin
		s.properties["listener.name."+listener+".scram-sha-512.sasl.jaas.config"] = scramLogin
		s.properties["listener.name."+listener+".oauthbearer.sasl.jaas.config"] = oauthLogin
	}
	return s, nil
}

// Token is what the secured listeners take for OAUTHBEARER: a JWT without
// a signature (Kafka's validator for tests), for the user that subject names.
func Token(subject string, issued time.Time, lasts time.Duration) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims := fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d}`, subject, issued.Unix(), issued.Add(lasts).Unix())
	return part(`{"alg":"none"}`) + "." + part(claims) + "."
}

func writePEM(path string, blocks ...*pem.Block) error {
	var text []byte
	for _, b := range blocks {
		text = append(text, pem.EncodeToMemory(b)...)
	}
	return os.WriteFile(path, text, 0o600)
}
