// Package deploy holds what the worker is deployed with. Its tests need no
// container engine: they hold the files to each other.
package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"engage-worker/internal/config"
	"engage-worker/internal/sim/twiliosim"
)

// root is the repository's, from here.
const root = ".."

type composeFile struct {
	Services map[string]service        `yaml:"services"`
	Volumes  map[string]map[string]any `yaml:"volumes"`
}

type service struct {
	Image         string         `yaml:"image"`
	Build         string         `yaml:"build"`
	ContainerName string         `yaml:"container_name"`
	Entrypoint    []string       `yaml:"entrypoint"`
	Command       []string       `yaml:"command"`
	Ports         []string       `yaml:"ports"`
	Volumes       []string       `yaml:"volumes"`
	Environment   map[string]any `yaml:"environment"`
	DependsOn     any            `yaml:"depends_on"`
	Profiles      []string       `yaml:"profiles"`
	Restart       string         `yaml:"restart"`
	StopGrace     string         `yaml:"stop_grace_period"`
	Healthcheck   map[string]any `yaml:"healthcheck"`
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	f, err := os.Open(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decoder := yaml.NewDecoder(f)
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func compose(t *testing.T) composeFile {
	t.Helper()
	var file struct {
		Name        string `yaml:"name"`
		composeFile `yaml:",inline"`
	}
	readYAML(t, "docker-compose.yml", &file)
	return file.composeFile
}

// pinned is an image by a version, for people, and by the digest that counts.
var pinned = regexp.MustCompile(`:v?\d+\.\d+\.\d+(-\w+)?@sha256:[0-9a-f]{64}$`)

func TestComposeIsWhole(t *testing.T) {
	file := compose(t)
	for name, s := range file.Services {
		if s.ContainerName != "" {
			t.Errorf("%s has a name of its own: it can't be scaled", name)
		}
		switch {
		case s.Build != "":
			if s.Image != "engage-worker" {
				t.Errorf("%s builds %q: all that is built is one image", name, s.Image)
			}
		case !pinned.MatchString(s.Image):
			t.Errorf("%s: the image %q isn't pinned to a version and its digest", name, s.Image)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s to every network", name, port)
			}
		}
		for _, volume := range s.Volumes {
			source, _, ok := strings.Cut(volume, ":")
			if !ok {
				t.Errorf("%s: %q mounts nothing", name, volume)
			}
			if !strings.HasPrefix(source, "./") {
				if _, declared := file.Volumes[source]; !declared {
					t.Errorf("%s: the volume %s isn't declared", name, source)
				}
			} else if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, other := range dependencies(s.DependsOn) {
			if _, ok := file.Services[other]; !ok {
				t.Errorf("%s depends on %s, which isn't there", name, other)
			}
		}
	}
	if ports := file.Services["worker"].Ports; ports != nil {
		t.Errorf("the worker publishes %v: only one replica could", ports)
	}
}

func dependencies(dependsOn any) (names []string) {
	switch d := dependsOn.(type) {
	case []any:
		for _, name := range d {
			names = append(names, fmt.Sprint(name))
		}
	case map[string]any:
		for name := range d {
			names = append(names, name)
		}
	}
	return names
}

// The worker's configuration loads, and names the services as they are.
func TestComposeConfiguration(t *testing.T) {
	cfg, err := config.Load(filepath.Join(root, "deploy/compose/engage.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file := compose(t)
	if want := "INSIDE://" + cfg.Kafka.Brokers[0]; !strings.Contains(fmt.Sprint(file.Services["kafka"].Environment["KAFKA_ADVERTISED_LISTENERS"]), want) {
		t.Errorf("the worker's broker isn't one that Kafka advertises: %s", want)
	}
	sim := file.Services["twilio-sim"]
	want := "http://twilio-sim" + option(t, sim, "listen")
	for _, d := range cfg.Destinations {
		for _, host := range []string{d.Settings.TwilioHostname, d.Settings.ContentHostname, d.Settings.ProfileAPIHostname} {
			if host != want {
				t.Errorf("destination %s talks to %q, not to %s", d.Name, host, want)
			}
		}
	}
	checkCalls(t, cfg, sim, file.Services["callbacks"])
	checkDesk(t, cfg, file.Services["desk"])
	grace, err := time.ParseDuration(file.Services["worker"].StopGrace)
	if err != nil || grace <= cfg.ShutdownTimeout {
		t.Errorf("the worker is killed after %v (%v), and may drain for %v", grace, err, cfg.ShutdownTimeout)
	}
}

// option is what a service's command says for a flag.
func option(t *testing.T, s service, name string) string {
	t.Helper()
	for _, arg := range s.Command {
		if value, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			return value
		}
	}
	t.Fatalf("no --%s in %v", name, s.Command)
	return ""
}

// checkCalls checks that the simulated Twilio may call the receiver, by its service's
// name and where it listens, and signs as the receiver checks.
func checkCalls(t *testing.T, cfg *config.Config, sim, receiver service) {
	t.Helper()
	host := option(t, sim, "callback-host")
	if want := "http://" + host + cfg.Callbacks.Listen; cfg.Callbacks.PublicURL != want || host != "callbacks" {
		t.Errorf("Twilio is told to call %s; the receiver is at %s", cfg.Callbacks.PublicURL, want)
	}
	if sim.Environment["TWILIO_SIM_AUTH_TOKEN"] != cfg.Callbacks.AuthToken.Reveal() {
		t.Error("the simulated Twilio signs with another token than the receiver checks with")
	}
	if !slices.Equal(receiver.Command, []string{"callbacks"}) || !slices.Contains(receiver.Healthcheck["test"].([]any), any("callbacks")) || receiver.Ports != nil {
		t.Errorf("the receiver is %+v", receiver)
	}
	for _, d := range cfg.Destinations {
		if !cfg.CallsBack(d.Name) {
			t.Errorf("nobody is told to call for %s", d.Name)
		}
	}
	if _, err := twiliosim.ParseCourse([]byte(option(t, sim, "course"))); err != nil {
		t.Error(err)
	}
	used := map[string]string{}
	for what, listen := range map[string]string{"the worker": cfg.HTTP.Listen, "the simulated Twilio": option(t, sim, "listen"), "the receiver": cfg.Callbacks.Listen, "the desk": cfg.Desk.Listen} {
		if other := used[listen]; other != "" {
			t.Errorf("%s and %s both listen at %s", what, other, listen)
		}
		used[listen] = what
	}
}

// checkDesk checks that the desk is published where it listens, and asks the workers.
func checkDesk(t *testing.T, cfg *config.Config, desk service) {
	t.Helper()
	if want := []string{"127.0.0.1" + cfg.Desk.Listen + cfg.Desk.Listen}; !slices.Equal(desk.Command, []string{"desk"}) || !slices.Equal(desk.Ports, want) || cfg.Desk.Token == "" {
		t.Errorf("the desk is %+v, want it at %v with a token", desk, want)
	}
	if !slices.Contains(desk.Healthcheck["test"].([]any), any("desk")) || !slices.Equal(cfg.Desk.Workers, []string{"worker" + cfg.HTTP.Listen}) {
		t.Errorf("the desk is asked by %v, and asks %v", desk.Healthcheck, cfg.Desk.Workers)
	}
}

// The configuration is where the image looks for it, so that no command, nor
// anybody who runs one in a container, has to say where.
func TestComposeMountsTheConfiguration(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(`(?m)^ENV ENGAGE_CONFIG=(.+)$`).FindSubmatch(dockerfile)
	if path == nil {
		t.Fatal("the image doesn't name its configuration")
	}
	mounted := "./deploy/compose/engage.yaml:" + string(path[1]) + ":ro"
	for name, s := range compose(t).Services {
		if s.Build == "" || s.Entrypoint != nil {
			continue
		}
		if !slices.Contains(s.Volumes, mounted) || slices.Contains(s.Command, "--config") {
			t.Errorf("%s has the volumes %v and the command %v, wants %s alone", name, s.Volumes, s.Command, mounted)
		}
	}
}

// Prometheus finds every replica where it listens.
func TestPrometheusFindsThem(t *testing.T) {
	cfg, err := config.Load(filepath.Join(root, "deploy/compose/engage.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var prometheus struct {
		Global        map[string]string `yaml:"global"`
		RuleFiles     []string          `yaml:"rule_files"`
		ScrapeConfigs []struct {
			JobName string `yaml:"job_name"`
			DNS     []struct {
				Names   []string `yaml:"names"`
				Type    string   `yaml:"type"`
				Port    int      `yaml:"port"`
				Refresh string   `yaml:"refresh_interval"`
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "deploy/prometheus/prometheus.yml", &prometheus)
	for i, listen := range []string{cfg.HTTP.Listen, cfg.Callbacks.Listen} {
		dns := prometheus.ScrapeConfigs[i].DNS[0]
		if _, ok := compose(t).Services[dns.Names[0]]; !ok || dns.Type != "A" {
			t.Errorf("%s is no service", dns.Names[0])
		}
		if want := fmt.Sprintf(":%d", dns.Port); listen != want {
			t.Errorf("it asks at %s; %s listens at %s", want, dns.Names[0], listen)
		}
	}
}

// Nobody can log in to compose's Grafana, so that it has no password to keep.
func TestGrafanaIsForLooking(t *testing.T) {
	environment := compose(t).Services["grafana"].Environment
	for name, want := range map[string]string{
		"GF_AUTH_ANONYMOUS_ENABLED": "true", "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer", "GF_AUTH_BASIC_ENABLED": "false",
		"GF_AUTH_DISABLE_LOGIN_FORM": "true", "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
	} {
		if got := environment[name]; got != want {
			t.Errorf("%s is %v, want %s", name, got, want)
		}
	}
}

func TestGrafanaIsProvisioned(t *testing.T) {
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL string
			IsDefault                    bool           `yaml:"isDefault"`
			JSONData                     map[string]any `yaml:"jsonData"`
		}
	}
	readYAML(t, "deploy/grafana/provisioning/datasources/prometheus.yml", &sources)
	if got := sources.Datasources[0]; got.URL != "http://prometheus:9090" || !got.IsDefault {
		t.Errorf("the data source is %+v", got)
	}
	var dashboards struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			AllowUIUpdates     bool `yaml:"allowUiUpdates"`
			Options            map[string]string
		}
	}
	readYAML(t, "deploy/grafana/provisioning/dashboards/engage.yml", &dashboards)
	// The folders of the image that hold nothing of ours stay as they are:
	// Grafana logs an error for each that isn't there.
	for _, mounted := range []string{
		"./deploy/grafana/dashboards:" + dashboards.Providers[0].Options["path"] + ":ro",
		"./deploy/grafana/provisioning/dashboards:/etc/grafana/provisioning/dashboards:ro",
		"./deploy/grafana/provisioning/datasources:/etc/grafana/provisioning/datasources:ro",
	} {
		if !slices.Contains(compose(t).Services["grafana"].Volumes, mounted) {
			t.Errorf("Grafana doesn't mount %s", mounted)
		}
	}
	files, err := filepath.Glob(filepath.Join(root, "deploy/grafana/dashboards/*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var dashboard struct {
			Title  string
			UID    string
			Panels []map[string]any
		}
		if err := json.Unmarshal(text, &dashboard); err != nil || dashboard.Title == "" || dashboard.UID == "" || len(dashboard.Panels) == 0 {
			t.Errorf("%s: %v; a dashboard has a title, a uid and panels", file, err)
		}
	}
}

// The image is built of what the build needs and nothing else.
func TestImage(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	ignore, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)[1]
	if !strings.Contains(string(dockerfile), "golang:"+string(version)+".") {
		t.Errorf("the Dockerfile doesn't build with Go %s", version)
	}
	for _, from := range regexp.MustCompile(`(?m)^FROM (?:--\S+ )?(\S+)`).FindAllSubmatch(dockerfile, -1) {
		if base := string(from[1]); base != "scratch" && !pinned.MatchString(base) {
			t.Errorf("the image %q isn't pinned to a version and its digest", base)
		}
	}
	if !strings.Contains(string(dockerfile), "USER 65532") {
		t.Error("the image runs as root")
	}
	if !strings.Contains(string(dockerfile), `CMD ["/usr/local/bin/engage-worker", "health"]`) {
		t.Error("nobody asks the container whether it is healthy")
	}
	// The linker says nothing of a name that isn't there.
	program, err := os.ReadFile(filepath.Join(root, "cmd/engage-worker/main.go"))
	if err != nil {
		t.Fatal(err)
	}
	stamp := regexp.MustCompile(`-X main\.(\w+)=\$VERSION`).FindSubmatch(dockerfile)
	if stamp == nil || !strings.Contains(string(program), "\nvar "+string(stamp[1])+" string\n") {
		t.Errorf("the image doesn't know its version: %s", stamp)
	}
	// Every folder with code that ships is in the build's context.
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	notShipped := []string{"deploy", "docs", "test"}
	for _, e := range entries {
		if !e.IsDir() || slices.Contains(notShipped, e.Name()) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		code, err := filepath.Glob(filepath.Join(root, e.Name(), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		below, err := filepath.Glob(filepath.Join(root, e.Name(), "*", "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(code)+len(below) > 0 && !slices.Contains(strings.Split(string(ignore), "\n"), "!"+e.Name()) {
			t.Errorf(".dockerignore keeps %s out of the build", e.Name())
		}
	}
}
