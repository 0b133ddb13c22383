{{- /* What the kustomization does to a manifest, in the order in which it does it. */ -}}

{{- /* The ConfigMap's name, with the hash that kustomize gives it, in which its name has no part. */ -}}
{{- define "engage-worker.configMap" -}}
{{- $hash := dict "kind" "ConfigMap" "name" "" "data" .data | toJson | sha256sum | trunc 10 -}}
{{- range $from, $to := dict "0" "g" "1" "h" "3" "k" "a" "m" "e" "t" }}{{ $hash = replace $from $to $hash }}{{ end -}}
{{- .name }}-{{ $hash }}
{{- end -}}

{{- define "engage-worker.config" -}}
{{- .Values.config | default (.Files.Get "manifests/engage.yaml") -}}
{{- end -}}

{{- define "engage-worker.configName" -}}
{{- include "engage-worker.configMap" (dict "name" "engage-worker" "data" (dict "engage.yaml" (include "engage-worker.config" .))) -}}
{{- end -}}

{{- /* Labels that an object has, and those that selectors have. */ -}}
{{- define "engage-worker.labels" -}}
app.kubernetes.io/name: engage-worker
app.kubernetes.io/instance: {{ .Values.instance }}
{{- end -}}

{{- define "engage-worker.pod" -}}
{{- $pod := .template.spec -}}
{{- $_ := set .template.metadata "labels" (merge .template.metadata.labels (include "engage-worker.labels" .root | fromYaml)) -}}
{{- range get $pod "topologySpreadConstraints" | default list }}{{ $_ := set .labelSelector.matchLabels "app.kubernetes.io/name" "engage-worker" }}{{ end -}}
{{- range $pod.volumes }}{{ if hasKey . "configMap" }}{{ $_ := set .configMap "name" (include "engage-worker.configName" $.root) }}{{ end }}{{ end -}}
{{- $values := .root.Values -}}
{{- $c := index $pod.containers 0 -}}
{{- $_ := set $c "image" (printf "%s:%s" $values.image.repository ($values.image.tag | default .root.Chart.AppVersion)) -}}
{{- if eq $c.name "topics" }}{{ $_ := set $c "args" (append (initial $c.args) (toString $values.partitions)) }}{{ end -}}
{{- if eq $c.name "worker" -}}
{{- if $values.resources }}{{ $_ := set $c "resources" $values.resources }}{{ end -}}
{{- if $values.goMemLimit }}{{ range $c.env }}{{ if eq .name "GOMEMLIMIT" }}{{ $_ := set . "value" $values.goMemLimit }}{{ end }}{{ end }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* One object of a manifest, as it goes to the cluster. */ -}}
{{- define "engage-worker.object" -}}
{{- $o := .object -}}
{{- $root := .root -}}
{{- if ne $o.kind "Namespace" }}{{ $_ := set $o.metadata "namespace" $root.Release.Namespace }}{{ else }}{{ $_ := set $o.metadata "name" $root.Release.Namespace }}{{ end -}}
{{- $_ := set $o.metadata "labels" (merge (get $o.metadata "labels" | default dict) (include "engage-worker.labels" $root | fromYaml)) -}}
{{- $name := dict "app.kubernetes.io/name" "engage-worker" -}}
{{- if eq $o.kind "Service" }}{{ $_ := merge $o.spec.selector $name }}{{ end -}}
{{- if has $o.kind (list "Deployment" "PodDisruptionBudget") }}{{ $_ := merge $o.spec.selector.matchLabels $name }}{{ end -}}
{{- if eq $o.kind "NetworkPolicy" }}
{{- $_ := merge $o.spec.podSelector.matchLabels $name -}}
{{- range $o.spec.ingress }}{{ range get . "from" | default list }}{{ if hasKey . "podSelector" }}{{ $_ := merge .podSelector.matchLabels $name }}{{ end }}{{ end }}{{ end -}}
{{- range get $o.spec "egress" | default list }}{{ range get . "to" | default list }}{{ if hasKey . "podSelector" }}{{ $_ := merge .podSelector.matchLabels $name }}{{ end }}{{ end }}{{ end -}}
{{- end -}}
{{- if eq $o.kind "ServiceMonitor" }}{{ $_ := set $o.spec.selector "matchLabels" (merge $o.spec.selector.matchLabels (include "engage-worker.labels" $root | fromYaml)) }}{{ end -}}
{{- if has $o.kind (list "Deployment" "Job") }}{{ include "engage-worker.pod" (dict "root" $root "template" $o.spec.template) }}{{ end -}}
{{- if eq $o.kind "Job" }}{{ $_ := set $o.metadata "name" (include "engage-worker.configName" $root) }}{{ end -}}
{{- if and (eq $o.kind "Deployment") (not (get . "of")) (not $root.Values.autoscaling) }}{{ $_ := set $o.spec "replicas" $root.Values.replicas }}{{ end -}}
{{- if eq $o.kind "ScaledObject" }}{{ $_ := set $o.spec "maxReplicaCount" $root.Values.partitions }}{{ end -}}
{{- $key := ternary (printf "%s/%s" $o.kind $o.metadata.name) $o.kind (eq (get . "of" | toString) "true") -}}
{{- $o = mergeOverwrite $o (get $root.Values.overrides $key | default dict) -}}
{{- toYaml $o -}}
{{- end -}}
