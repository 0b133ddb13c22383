package deploy

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// chart renders the chart as helm template does, and returns its objects by
// kind and name.
func chart(t *testing.T, values map[string]any) map[string]map[string]any {
	t.Helper()
	c, err := loader.LoadDir("../../deploy/helm/engage-worker")
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "engage-worker", Namespace: "engage", IsInstall: true}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := engine.Engine{Strict: true}.Render(c, all)
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]map[string]any{}
	for _, text := range rendered {
		for document := range strings.SplitSeq(text, "\n---\n") {
			add(t, objects, []byte(document))
		}
	}
	return objects
}

func kustomization(t *testing.T) map[string]map[string]any {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../../deploy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]map[string]any{}
	for _, r := range built.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		add(t, objects, text)
	}
	return objects
}

func add(t *testing.T, objects map[string]map[string]any, document []byte) {
	t.Helper()
	var o map[string]any
	if err := yaml.Unmarshal(document, &o); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	if o == nil {
		return
	}
	key := o["kind"].(string) + " " + o["metadata"].(map[string]any)["name"].(string)
	if objects[key] != nil {
		t.Errorf("there are two of %s", key)
	}
	objects[key] = o
}

// The chart and the kustomization make the same objects.
func TestChartIsTheKustomization(t *testing.T) {
	got, want := chart(t, map[string]any{"namespace": true}), kustomization(t)
	if names := slices.Sorted(maps.Keys(want)); !slices.Equal(slices.Sorted(maps.Keys(got)), names) {
		t.Fatalf("the chart makes\n%s\nthe kustomization\n%s", strings.Join(slices.Sorted(maps.Keys(got)), "\n"), strings.Join(names, "\n"))
	}
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			g, _ := json.MarshalIndent(got[name], "", " ")
			w, _ := json.MarshalIndent(want[name], "", " ")
			t.Errorf("%s: the chart makes\n%s\nthe kustomization\n%s", name, g, w)
		}
	}
}

// What the chart's values say comes out, and nothing else changes.
func TestChartValues(t *testing.T) {
	const config = "kafka: {topic: others}\n"
	got := chart(t, map[string]any{
		"image": map[string]any{"repository": "registry.test/worker", "tag": "2.0.0"}, "config": config, "partitions": 24, "instance": "second",
		"runbooks": "https://runbooks.test/page", "autoscaling": false, "replicas": 3, "serviceMonitor": false, "dashboard": false,
		"goMemLimit": "800MiB", "resources": map[string]any{"limits": map[string]any{"memory": "1Gi"}},
		"overrides": map[string]any{"PodDisruptionBudget": map[string]any{"spec": map[string]any{"maxUnavailable": 2}}},
	})
	var configMap string
	for name := range got {
		kind, rest, _ := strings.Cut(name, " ")
		switch {
		case kind == "ConfigMap":
			configMap = rest
		case slices.Contains([]string{"Namespace", "ScaledObject", "TriggerAuthentication", "ServiceMonitor"}, kind):
			t.Errorf("%s is there", name)
		}
	}
	if configMap == "" || kustomization(t)["ConfigMap "+configMap] != nil {
		t.Fatalf("the ConfigMap is %q", configMap)
	}
	for name := range got {
		if strings.Contains(name, "callbacks") || strings.Contains(name, "desk") {
			t.Errorf("%s is there, and the configuration has no such section", name)
		}
	}
	job, deployment := got["Job "+configMap], got["Deployment engage-worker"]
	for _, is := range []struct {
		of   map[string]any
		path []any
		want any
	}{
		{got["ConfigMap "+configMap], []any{"data", "engage.yaml"}, config},
		{job, []any{"spec", "template", "spec", "containers", 0, "args", 5}, "24"},
		{job, []any{"spec", "template", "spec", "containers", 0, "image"}, "registry.test/worker:2.0.0"},
		{deployment, []any{"spec", "template", "spec", "containers", 0, "image"}, "registry.test/worker:2.0.0"},
		{deployment, []any{"spec", "template", "spec", "containers", 0, "env", 0, "value"}, "800MiB"},
		{deployment, []any{"spec", "template", "spec", "containers", 0, "resources", "limits", "memory"}, "1Gi"},
		{deployment, []any{"spec", "template", "spec", "volumes", 0, "configMap", "name"}, configMap},
		{deployment, []any{"spec", "replicas"}, 3.0},
		{deployment, []any{"metadata", "labels", "app.kubernetes.io/instance"}, "second"},
		{got["PodDisruptionBudget engage-worker"], []any{"spec", "maxUnavailable"}, 2.0},
		{got["PrometheusRule engage-worker"], []any{"spec", "groups", 0, "rules", 0, "annotations", "runbook_url"}, "https://runbooks.test/page#engageworkerabsent"},
	} {
		var value any = is.of
		for _, step := range is.path {
			switch step := step.(type) {
			case string:
				value = value.(map[string]any)[step]
			case int:
				value = value.([]any)[step]
			}
		}
		if value != is.want {
			t.Errorf("%v is %v, not %v", is.path, value, is.want)
		}
	}
}

// A component's objects come with what its configuration has, and take values of their own.
func TestChartComponents(t *testing.T) {
	got := chart(t, map[string]any{
		"config":        "callbacks: {publicUrl: \"https://callbacks.test\"}\n",
		"networkPolicy": false, "autoscaling": false, "replicas": 5,
		"overrides": map[string]any{
			"Deployment": map[string]any{"spec": map[string]any{"minReadySeconds": 3}}, "Deployment/engage-worker-callbacks": map[string]any{"spec": map[string]any{"replicas": 4}},
		},
	})
	spec := func(name string) map[string]any { return got[name]["spec"].(map[string]any) }
	if of := spec("Deployment engage-worker-callbacks"); of["replicas"] != 4.0 || of["minReadySeconds"] != nil {
		t.Errorf("the receiver is %v", of)
	}
	if of := spec("Deployment engage-worker"); of["replicas"] != 5.0 || of["minReadySeconds"] != 3.0 {
		t.Errorf("the worker is %v", of)
	}
	if got["NetworkPolicy engage-worker-callbacks"] != nil || got["Service engage-worker-callbacks"] == nil {
		t.Error("a network policy that isn't wanted, or no Service")
	}
	off := chart(t, map[string]any{"callbacks": false, "desk": false})
	if off["Deployment engage-worker-callbacks"] != nil || off["Deployment engage-worker-desk"] != nil || off["Deployment engage-worker"] == nil {
		t.Error("a receiver or a desk that isn't wanted, or no worker")
	}
}
