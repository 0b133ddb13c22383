package deploy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"engage-worker/internal/config"
)

// kubernetesConfig loads what the ConfigMap holds, with the Secrets' files in
// a folder of the test's.
func kubernetesConfig(t *testing.T) *config.Config {
	t.Helper()
	text, err := os.ReadFile("kubernetes/engage.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key := certificate(t)
	for name, content := range map[string]string{
		"http-token": "token", "twilio-account-sid": "AC00000000000000000000000000000000", "twilio-api-key-sid": "SK00000000000000000000000000000000",
		"twilio-api-key-secret": "secret", "profile-api-token": "token", "callback-key": strings.Repeat("k", 32), "desk-token": strings.Repeat("t", 32), "ca.crt": cert, "tls.crt": cert, "tls.key": key,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	placed := strings.NewReplacer("/etc/engage-secrets", dir, "/etc/engage-kafka", dir).Replace(string(text))
	path := filepath.Join(dir, "engage.yaml")
	if err := os.WriteFile(path, []byte(placed), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// certificate is one that vouches for itself, and its key, in PEM form.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

// manifests are the documents of a file, undecoded; test/deploy holds them to
// Kubernetes' types.
func manifests(t *testing.T, name string) (all []map[string]any) {
	t.Helper()
	f, err := os.Open(filepath.Join("kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decoder := yaml.NewDecoder(f)
	for {
		var m map[string]any
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, m)
	}
}

// at walks into maps by name and into lists by taking the first.
func at(t *testing.T, v any, path string) any {
	t.Helper()
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok && len(list) > 0 {
			v = list[0]
		}
		m, ok := v.(map[string]any)
		if !ok || m[name] == nil {
			t.Fatalf("there is no %s in %s", name, path)
		}
		v = m[name]
	}
	return v
}

func TestKubernetesConfiguration(t *testing.T) {
	cfg := kubernetesConfig(t)
	deployment := manifests(t, "deployment.yaml")[0]
	grace := time.Duration(at(t, deployment, "spec.template.spec.terminationGracePeriodSeconds").(int)) * time.Second
	if least := cfg.ShutdownTimeout + 10*time.Second; grace < least {
		t.Errorf("a worker is killed after %v; it may drain for %v, and leaves the group after that", grace, cfg.ShutdownTimeout)
	}
	if port := at(t, deployment, "spec.template.spec.containers.ports.containerPort"); cfg.HTTP.Listen != ":8080" || port != 8080 {
		t.Errorf("the worker listens at %s; its port is %v", cfg.HTTP.Listen, port)
	}
	receiver := manifests(t, "callbacks.yaml")[0]
	if port := at(t, receiver, "spec.template.spec.containers.ports.containerPort"); cfg.Callbacks.Listen != fmt.Sprintf(":%d", port) || !cfg.CallsBack(cfg.Destinations[0].Name) {
		t.Errorf("the receiver listens at %s; its port is %v; Twilio is told to call %q", cfg.Callbacks.Listen, port, cfg.Callbacks.PublicURL)
	}
	desk := manifests(t, "desk.yaml")[0]
	if port := at(t, desk, "spec.template.spec.containers.ports.containerPort"); cfg.Desk.Listen != fmt.Sprintf(":%d", port) || cfg.Desk.Token == "" {
		t.Errorf("the desk listens at %s; its port is %v", cfg.Desk.Listen, port)
	}
	workers := at(t, manifests(t, "service.yaml")[0], "metadata.name").(string) + cfg.HTTP.Listen
	if len(cfg.Desk.Workers) != 1 || cfg.Desk.Workers[0] != workers {
		t.Errorf("the desk asks %q; the workers are at %s", cfg.Desk.Workers, workers)
	}
	trigger := at(t, manifests(t, "scaledobject.yaml")[0], "spec.triggers.metadata")
	for key, want := range map[string]string{
		"bootstrapServers": cfg.Kafka.Brokers[0], "consumerGroup": cfg.GroupID(cfg.Destinations[0].Name),
		"topic": cfg.Kafka.Topic, "offsetResetPolicy": string(cfg.Kafka.StartOffset),
	} {
		if got := at(t, trigger, key); got != want {
			t.Errorf("KEDA's %s is %v, the worker's %s", key, got, want)
		}
	}
}

// No manifest is left out of the kustomization.
func TestKustomizationIsWhole(t *testing.T) {
	var kustomization struct{ Resources, Configurations []string }
	text, err := os.ReadFile("kubernetes/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"kustomization.yaml": true, "engage.yaml": true}
	for _, name := range append(kustomization.Resources, kustomization.Configurations...) {
		listed[name] = true
	}
	files, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, file := range files {
		if !listed[filepath.Base(file)] {
			t.Errorf("%s is in no use", file)
		}
	}
}
