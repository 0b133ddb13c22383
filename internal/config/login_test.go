package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A key that wants a passphrase is said to be one, whichever way it is
// encrypted.
func TestEncryptedKey(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert := write("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	for name, key := range map[string]string{
		"pkcs8": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"older": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
	} {
		path := write("engage.yaml", "kafka: {tls: {enabled: true, certFile: "+cert+", keyFile: "+write(name, key)+"}}\n"+good)
		_, err := Load(path)
		want := "kafka.tls.keyFile: the private key is encrypted, and there is no setting for a passphrase: " +
			"decrypt it (openssl pkey -in old.pem -out new.pem) and protect the file by its permissions"
		if err == nil || !strings.Contains(err.Error(), want+"\n") || strings.Contains(err.Error(), "certFile") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
