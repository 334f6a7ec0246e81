{{/* Environment and Secrets. Kept as maps until the last moment, so that no name can come twice (Helm 4 applies server-side
and is refused then). The test compares every name with the service's own Settings. */}}

{{/* The Secrets of a component: file name → existing Secret and key. They are mounted, never put in the environment. */}}
{{- define "gateway.secrets" -}}
{{- $values := .root.Values -}}
{{- $secrets := dict -}}
{{- if or (eq .component "migrate") (eq .component "directory") -}}
{{- $_ := set $secrets "DATABASE_APP_URL" $values.database.application -}}
{{- if or (eq .component "migrate") $values.directory.operatorCommands -}}
{{- $_ := set $secrets "DATABASE_URL" $values.database.owner -}}
{{- end -}}
{{- end -}}
{{- if eq .component "directory" -}}
{{- $_ := set $secrets "SCIM_INGEST_SECRET" $values.serviceCredentials.scim -}}
{{- $_ := set $secrets "SSO_GATEWAY_SECRET" $values.serviceCredentials.sso -}}
{{- else if eq .component "scim" -}}
{{- $_ := set $secrets "DIRECTORY_SECRET" $values.serviceCredentials.scim -}}
{{- else if eq .component "sso" -}}
{{- $_ := set $secrets "DIRECTORY_SECRET" $values.serviceCredentials.sso -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{- define "gateway.env" -}}
{{- $values := .root.Values -}}
{{- $env := dict "LOG_LEVEL" $values.log.level "LOG_FORMAT" $values.log.format -}}
{{- if ne .component "migrate" -}}
{{- $env = merge $env (dict "PORT" "8000" "OPS_PORT" "9000" "SHUTDOWN_GRACE_S" $values.shutdown.graceSeconds) -}}
{{- with $values.telemetry.otlpEndpoint }}{{ $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end -}}
{{- end -}}
{{- if eq .component "directory" -}}
{{- $env = merge $env (dict "SSO_PUBLIC_URL" $values.ssoPublicUrl "SCIM_PUBLIC_URL" $values.scimPublicUrl "ENTITY_ID_BASE" $values.entityIdBase) -}}
{{- else if ne .component "migrate" -}}
{{- $directory := include "gateway.name" (dict "root" .root "component" "directory") -}}
{{- $_ := set $env "DIRECTORY_URL" (printf "http://%s:8000" $directory) -}}
{{- end -}}
{{- if eq .component "scim" -}}
{{- $_ := set $env "PUBLIC_URL" $values.scimPublicUrl -}}
{{- else if eq .component "sso" -}}
{{- $env = merge $env (dict "PUBLIC_URL" $values.ssoPublicUrl "ENTITY_ID_BASE" $values.entityIdBase) -}}
{{- with $values.ingress.trustedProxies }}{{ $_ := set $env "FORWARDED_ALLOW_IPS" (join "," .) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := include "gateway.secrets" . | fromYaml -}}
{{- $_ := set $env (printf "%s_FILE" $name) (printf "/run/secrets/identity-gateway/%s" $name) -}}
{{- end -}}
{{- if ne .component "migrate" -}}
{{- range $name, $value := (index $values .component).env -}}
{{- if hasKey $env $name }}{{ fail (printf "%s.env.%s: the chart sets this variable itself; use the value it belongs to" $.component $name) }}{{ end -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $env }}
- name: {{ $name }}
  {{- /* Helm reads numbers as floating point and would print 1048576 as 1.048576e+06. */}}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end -}}
{{- end -}}
