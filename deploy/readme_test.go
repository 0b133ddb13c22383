package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"engage-worker/internal/config"
)

// The README's configuration is one.
func TestReadmeConfiguration(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```yaml\n")
	if !ok {
		t.Fatal("the README shows no configuration")
	}
	example, _, _ := strings.Cut(rest, "```")
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TWILIO_ACCOUNT_SID", "AC00000000000000000000000000000000")
	t.Setenv("TWILIO_API_KEY_SID", "SK00000000000000000000000000000000")
	t.Setenv("TWILIO_API_KEY_SECRET", "secret")
	if _, err := config.Load(path); err != nil {
		t.Errorf("%v", err)
	}
}
