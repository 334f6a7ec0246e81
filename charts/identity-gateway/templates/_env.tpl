{{/* Environment and Secrets. Kept as maps until the last moment, so that no name can come twice (Helm 4 applies server-side
and is refused then). The test compares every name with the service's own Settings. */}}

{{/* The Secrets of a component: file name → existing Secret and key. They are mounted, never put in the environment.
`migrate`, `sweep` and `operator` are what runs with the owner role; a serving container never holds it. */}}
{{- define "gateway.secrets" -}}
{{- $database := .root.Values.database -}}
{{- $credentials := .root.Values.serviceCredentials -}}
{{- if has .component (list "migrate" "operator") -}}
{{- toYaml (dict "DATABASE_URL" $database.owner "DATABASE_APP_URL" $database.application) -}}
{{- else if eq .component "sweep" -}}
{{- toYaml (dict "DATABASE_URL" $database.owner) -}}
{{- else if eq .component "directory" -}}
{{- toYaml (dict "DATABASE_APP_URL" $database.application "SCIM_INGEST_SECRET" $credentials.scim "SSO_GATEWAY_SECRET" $credentials.sso) -}}
{{- else -}}
{{- $secrets := dict "DIRECTORY_SECRET" (index $credentials .component) -}}
{{- if and (eq .component "sso") .root.Values.openid.clients.existingSecret }}{{ $_ := set $secrets "OIDC_CLIENTS" .root.Values.openid.clients }}{{ end -}}
{{- toYaml $secrets -}}
{{- end -}}
{{- end -}}

{{- define "gateway.env" -}}
{{- $values := .root.Values -}}
{{- $env := dict -}}
{{- $serves := has .component (list "directory" "scim" "sso") -}}
{{- if $serves -}}
{{- $env = merge $env (dict "LOG_LEVEL" $values.log.level "LOG_FORMAT" $values.log.format "PORT" "8000" "OPS_PORT" "9000" "SHUTDOWN_GRACE_S" $values.shutdown.graceSeconds) -}}
{{- with $values.telemetry.otlpEndpoint }}{{ $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end -}}
{{- end -}}
{{- if has .component (list "scim" "sso") -}}
{{- $directory := include "gateway.name" (dict "root" .root "component" "directory") -}}
{{- $_ := set $env "DIRECTORY_URL" (printf "http://%s:8000" $directory) -}}
{{- end -}}
{{- if eq .component "operator" -}}
{{- $env = merge $env (dict "SSO_PUBLIC_URL" $values.ssoPublicUrl "SCIM_PUBLIC_URL" $values.scimPublicUrl "ENTITY_ID_BASE" $values.entityIdBase) -}}
{{- else if eq .component "scim" -}}
{{- $_ := set $env "PUBLIC_URL" $values.scimPublicUrl -}}
{{- $_ := set $env "FEDERATION_HOSTS" (join "," $values.federation.hosts) -}}
{{- else if eq .component "sso" -}}
{{- $_ := set $env "PUBLIC_URL" $values.ssoPublicUrl -}}
{{- $_ := set $env "METADATA_HOSTS" (join "," $values.federation.hosts) -}}
{{- if $values.openid.clients.existingSecret }}{{ $_ := set $env "OIDC_KEYS_DIR" "/run/signing-keys" }}{{ end -}}
{{- with $values.ingress.trustedProxies }}{{ $_ := set $env "FORWARDED_ALLOW_IPS" (join "," .) }}{{ end -}}
{{- end -}}
{{- range $name, $_ := include "gateway.secrets" . | fromYaml -}}
{{- $_ := set $env (printf "%s_FILE" $name) (printf "/run/secrets/identity-gateway/%s" $name) -}}
{{- end -}}
{{- if $serves -}}
{{- range $name, $value := (index $values .component).env -}}
{{- if hasKey $env $name }}{{ fail (printf "%s.env.%s: the chart sets this variable itself; use the value it belongs to" $.component $name) }}{{ end -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $env }}
- name: {{ $name }}
  {{- /* Helm reads numbers as floating point and would print 1048576 as 1.048576e+06; 0.5 stays what it is. */}}
  value: {{ if and (kindIs "float64" $value) (eq $value (floor $value)) }}{{ $value | int64 | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end -}}
{{- end -}}
