package deploy

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// ScaledObject and TriggerAuthentication are the fields of KEDA's that are
// used here; its module would bring in every cloud's client.
type scaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		ScaleTargetRef  struct{ Name string } `json:"scaleTargetRef"`
		MinReplicaCount int32                 `json:"minReplicaCount"`
		MaxReplicaCount int32                 `json:"maxReplicaCount"`
		PollingInterval int32                 `json:"pollingInterval"`
		CooldownPeriod  int32                 `json:"cooldownPeriod"`
		Advanced        struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior map[string]any `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
		Triggers []struct {
			Type              string                `json:"type"`
			Metadata          map[string]string     `json:"metadata"`
			AuthenticationRef struct{ Name string } `json:"authenticationRef"`
		} `json:"triggers"`
	} `json:"spec"`
}

type triggerAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		SecretTargetRef []struct {
			Parameter, Name, Key string
		} `json:"secretTargetRef"`
	} `json:"spec"`
}

// components are those beside the worker, each with a manifest of its own.
var components = []string{"callbacks", "desk"}

// alone is of the component of which there is one pod, whose state is in its pages:
// it isn't spread or scraped, and is ready once it serves.
const alone = "desk"

// objects builds the folder as kubectl does and decodes each object into its
// type, by its kind, and its component but for the worker's; a field that the type
// doesn't have is an error.
func objects(t *testing.T) map[string]any {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../../deploy/kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	for _, r := range built.Resources() {
		into := map[string]any{
			"Namespace":             &corev1.Namespace{},
			"ServiceAccount":        &corev1.ServiceAccount{},
			"ConfigMap":             &corev1.ConfigMap{},
			"Service":               &corev1.Service{},
			"Deployment":            &appsv1.Deployment{},
			"Job":                   &batchv1.Job{},
			"PodDisruptionBudget":   &policyv1.PodDisruptionBudget{},
			"NetworkPolicy":         &networkingv1.NetworkPolicy{},
			"ServiceMonitor":        &monitoringv1.ServiceMonitor{},
			"PrometheusRule":        &monitoringv1.PrometheusRule{},
			"ScaledObject":          &scaledObject{},
			"TriggerAuthentication": &triggerAuthentication{},
		}[r.GetKind()]
		if into == nil {
			t.Fatalf("a %s is nothing that this test knows", r.GetKind())
		}
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
		}
		if r.GetName() == "engage-worker-dashboard" {
			continue // the one kind that there are two of
		}
		key := r.GetKind()
		if name, of := strings.CutPrefix(r.GetName(), "engage-worker-"); of && slices.Contains(components, name) {
			key += " " + name
		}
		if all[key] != nil {
			t.Errorf("there are two %s", key)
		}
		all[key] = into
	}
	return all
}

func TestObjectsFitTogether(t *testing.T) {
	all := objects(t)
	deployment, job := all["Deployment"].(*appsv1.Deployment), all["Job"].(*batchv1.Job)
	workers := labels.Set(deployment.Spec.Template.Labels)

	for what, selector := range map[string]map[string]string{
		"the Deployment":          deployment.Spec.Selector.MatchLabels,
		"the Service":             all["Service"].(*corev1.Service).Spec.Selector,
		"the PodDisruptionBudget": all["PodDisruptionBudget"].(*policyv1.PodDisruptionBudget).Spec.Selector.MatchLabels,
		"the topology's spread":   deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		if s := labels.SelectorFromSet(selector); !s.Matches(workers) || s.Matches(labels.Set(job.Spec.Template.Labels)) {
			t.Errorf("%s selects %v, which isn't the worker's pods and no others: %v", what, selector, workers)
		}
	}
	if s := labels.SelectorFromSet(all["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.PodSelector.MatchLabels); !s.Matches(workers) {
		t.Error("the NetworkPolicy doesn't cover the worker")
	}
	service := all["Service"].(*corev1.Service)
	monitor := all["ServiceMonitor"].(*monitoringv1.ServiceMonitor)
	if !labels.SelectorFromSet(monitor.Spec.Selector.MatchLabels).Matches(labels.Set(service.Labels)) || monitor.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name {
		t.Error("the ServiceMonitor doesn't find the Service")
	}
	if service.Name != "engage-worker" {
		t.Error("the metrics' job label, which the alerts select, is the Service's name")
	}
	scaled := all["ScaledObject"].(*scaledObject)
	if scaled.Spec.ScaleTargetRef.Name != deployment.Name || deployment.Spec.Replicas != nil {
		t.Error("the ScaledObject alone sets the Deployment's replicas")
	}
	if behavior := scaled.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior; behavior["scaleUp"] == nil || behavior["scaleDown"] == nil {
		t.Errorf("the scaling's behavior is %v", behavior)
	}
	if partitions := job.Spec.Template.Spec.Containers[0].Args; partitions[len(partitions)-1] != "12" || scaled.Spec.MaxReplicaCount != 12 {
		t.Error("there may be as many replicas as partitions")
	}
	auth := all["TriggerAuthentication"].(*triggerAuthentication)
	if scaled.Spec.Triggers[0].AuthenticationRef.Name != auth.Name {
		t.Error("the trigger's authentication isn't there")
	}
	config := all["ConfigMap"].(*corev1.ConfigMap)
	if job.Name != config.Name {
		t.Errorf("the Job is %s, so that a new configuration, %s, can't make another", job.Name, config.Name)
	}
	if instance := monitor.Spec.Selector.MatchLabels["app.kubernetes.io/instance"]; instance == "" || instance != deployment.Labels["app.kubernetes.io/instance"] {
		t.Errorf("the ServiceMonitor selects the instance %q", instance)
	}
	for what, pod := range pods(all) {
		if pod.ServiceAccountName != all["ServiceAccount"].(*corev1.ServiceAccount).Name {
			t.Errorf("%s has another service account", what)
		}
		for _, v := range pod.Volumes {
			if v.ConfigMap != nil && v.ConfigMap.Name != config.Name {
				t.Errorf("%s mounts the ConfigMap %s, not %s", what, v.ConfigMap.Name, config.Name)
			}
			if v.Secret != nil && v.Secret.SecretName == "engage-worker-kafka" && auth.Spec.SecretTargetRef[0].Name != v.Secret.SecretName {
				t.Errorf("KEDA and %s take Kafka's certificate from different Secrets", what)
			}
		}
	}
}

// pods are the specifications of all pods, by what they are of.
func pods(all map[string]any) map[string]corev1.PodSpec {
	specs := map[string]corev1.PodSpec{
		"worker": all["Deployment"].(*appsv1.Deployment).Spec.Template.Spec, "topics": all["Job"].(*batchv1.Job).Spec.Template.Spec,
	}
	for _, name := range components {
		specs[name] = all["Deployment "+name].(*appsv1.Deployment).Spec.Template.Spec
	}
	return specs
}

// Each component beside the worker has objects that fit together and touch no other
// pods, is covered by what holds for all, is scraped, and is probed where it listens.
func TestComponentsFitTogether(t *testing.T) {
	all := objects(t)
	worker := labels.Set(all["Deployment"].(*appsv1.Deployment).Spec.Template.Labels)
	common := labels.SelectorFromSet(all["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.PodSelector.MatchLabels)
	monitor := all["ServiceMonitor"].(*monitoringv1.ServiceMonitor).Spec
	for _, name := range components {
		deployment, service := all["Deployment "+name].(*appsv1.Deployment), all["Service "+name].(*corev1.Service)
		own := labels.Set(deployment.Spec.Template.Labels)
		policy := all["NetworkPolicy "+name].(*networkingv1.NetworkPolicy).Spec
		selectors := map[string]map[string]string{
			"Deployment": deployment.Spec.Selector.MatchLabels, "Service": service.Spec.Selector, "NetworkPolicy": policy.PodSelector.MatchLabels,
		}
		ready := "/healthz"
		if name != alone {
			selectors["PodDisruptionBudget"] = all["PodDisruptionBudget "+name].(*policyv1.PodDisruptionBudget).Spec.Selector.MatchLabels
			selectors["the topology's spread"] = deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels
			ready = "/readyz"
		}
		for what, selector := range selectors {
			if s := labels.SelectorFromSet(selector); !s.Matches(own) || s.Matches(worker) {
				t.Errorf("%s: the %s selects %v", name, what, selector)
			}
		}
		c := deployment.Spec.Template.Spec.Containers[0]
		port := intstr.FromString(c.Ports[0].Name)
		scraped := labels.SelectorFromSet(monitor.Selector.MatchLabels).Matches(labels.Set(service.Labels)) && service.Spec.Ports[0].Name == monitor.Endpoints[0].Port
		if !common.Matches(own) || scraped == (name == alone) || service.Spec.Ports[0].TargetPort != port || *policy.Ingress[0].Ports[0].Port != port {
			t.Errorf("%s isn't covered, scraped or reached: %v; %v; %+v; %+v", name, common.Matches(own), scraped, service.Spec.Ports[0], *policy.Ingress[0].Ports[0].Port)
		}
		for _, probe := range []struct {
			path string
			is   *corev1.Probe
		}{{"/healthz", c.LivenessProbe}, {ready, c.ReadinessProbe}} {
			if probe.is == nil || probe.is.HTTPGet == nil || probe.is.HTTPGet.Path != probe.path || probe.is.HTTPGet.Port != port {
				t.Errorf("%s: %s isn't probed: %+v", name, probe.path, probe.is)
			}
		}
		if len(policy.Ingress[0].From) == 0 {
			t.Errorf("%s is open to everybody", name)
		}
	}
}

// The desk may ask the workers, and nobody else's pods may.
func TestDeskReachesTheWorkers(t *testing.T) {
	all := objects(t)
	worker, desk := all["Deployment"].(*appsv1.Deployment), all["Deployment desk"].(*appsv1.Deployment)
	matches := func(peer *metav1.LabelSelector, d *appsv1.Deployment) bool {
		return peer != nil && labels.SelectorFromSet(peer.MatchLabels).Matches(labels.Set(d.Spec.Template.Labels))
	}
	in := all["NetworkPolicy"].(*networkingv1.NetworkPolicy).Spec.Ingress[0]
	if from := in.From[1].PodSelector; !matches(from, desk) || matches(from, worker) || from.MatchLabels["app.kubernetes.io/name"] == "" {
		t.Errorf("the workers let in %+v", from)
	}
	out := all["NetworkPolicy desk"].(*networkingv1.NetworkPolicy).Spec.Egress[0]
	if to := out.To[0].PodSelector; !matches(to, worker) || *out.Ports[0].Port != *in.Ports[0].Port {
		t.Errorf("the desk may go to %+v", out)
	}
}

// What the restricted Pod Security Standard asks for, and a little more.
func TestPodsAreHardened(t *testing.T) {
	all := objects(t)
	if level := all["Namespace"].(*corev1.Namespace).Labels["pod-security.kubernetes.io/enforce"]; level != "restricted" {
		t.Errorf("the namespace enforces %q", level)
	}
	for what, pod := range pods(all) {
		yes, no := true, false
		var user int64 = 65532
		want := &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
		if !reflect.DeepEqual(pod.SecurityContext, want) {
			t.Errorf("%s: the pod's security context is %+v", what, pod.SecurityContext)
		}
		if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("%s gets a token of the Kubernetes API", what)
		}
		for _, c := range pod.Containers {
			want := &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			}
			if !reflect.DeepEqual(c.SecurityContext, want) {
				t.Errorf("%s: the container's security context is %+v", what, c.SecurityContext)
			}
			if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s asks for and is limited to %v", what, c.Resources)
			}
			if !strings.HasPrefix(c.Image, "registry.example.com/engage-worker:") {
				t.Errorf("%s: the image %s isn't the kustomization's", what, c.Image)
			}
			mounted := map[string]bool{}
			for _, m := range c.VolumeMounts {
				mounted[m.Name] = m.ReadOnly
			}
			for _, v := range pod.Volumes {
				if !mounted[v.Name] {
					t.Errorf("%s doesn't mount %s read-only", what, v.Name)
				}
			}
		}
	}
}

func TestWorkerIsProbedAndLimited(t *testing.T) {
	deployment := objects(t)["Deployment"].(*appsv1.Deployment)
	c := deployment.Spec.Template.Spec.Containers[0]
	for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port != intstr.FromString(c.Ports[0].Name) {
			t.Errorf("%s isn't probed: %+v", path, probe)
		}
	}
	if start := c.StartupProbe; start == nil || start.PeriodSeconds*start.FailureThreshold < 30 {
		t.Error("the start, which may wait 15 s for Kafka, isn't given 30 s")
	}
	i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == "GOMEMLIMIT" })
	if i < 0 {
		t.Fatal("GOMEMLIMIT isn't set")
	}
	soft, hard := resource.MustParse(strings.TrimSuffix(c.Env[i].Value, "B")), c.Resources.Limits.Memory()
	if ratio := soft.AsApproximateFloat64() / hard.AsApproximateFloat64(); ratio < 0.7 || ratio > 0.9 {
		t.Errorf("GOMEMLIMIT is %.0f%% of the limit", 100*ratio)
	}
}
