{{/* Names and labels. `component` helpers take a dict: root (the chart's context) and component (sso, scim, directory, migrate or sweep). */}}

{{- define "gateway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "gateway.name" -}}
{{- $name := include "gateway.fullname" .root -}}
{{- /* A CronJob's name has 52 characters at most: its Jobs are named after it and the minute. */}}
{{- if eq .component "sweep" }}{{ $name = $name | trunc 46 | trimSuffix "-" }}{{ end -}}
{{ $name }}-{{ .component }}
{{- end -}}

{{/* What Deployments, Services and policies select by. Never changes in an upgrade: a Deployment's selector is immutable. */}}
{{- define "gateway.selector" -}}
app.kubernetes.io/name: identity-gateway
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "gateway.labels" -}}
{{- $own := include "gateway.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/part-of" "identity-gateway" -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $own "app.kubernetes.io/version" (.root.Chart.AppVersion | trunc 63) -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63) -}}
{{- toYaml (merge $own .root.Values.commonLabels) -}}
{{- end -}}

{{/* migrate, sweep and operator run directory's image. */}}
{{- define "gateway.image" -}}
{{- $image := (index .root.Values (ternary "directory" .component (has .component (list "migrate" "sweep" "operator")))).image -}}
{{- $path := printf "%s/%s" (trimSuffix "/" .root.Values.image.registry) $image.repository -}}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ default .root.Chart.AppVersion .root.Values.image.tag }}
{{- end -}}
{{- end -}}
