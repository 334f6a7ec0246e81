{{/* What all pods share, the Jobs' too. */}}

{{- define "gateway.container" -}}
image: {{ include "gateway.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{ include "gateway.containerSecurity" . }}
env:
  {{- include "gateway.env" . | trim | nindent 2 }}
volumeMounts:
  - name: {{ .component }}-secrets
    mountPath: /run/secrets/identity-gateway
    readOnly: true
  - name: {{ .component }}-tmp
    mountPath: /tmp
  {{- if and (eq .component "sso") .root.Values.openid.clients.existingSecret }}
  - name: sso-signing-keys
    mountPath: /run/signing-keys
    readOnly: true
  {{- end }}
{{- end -}}

{{- define "gateway.pod" -}}
serviceAccountName: {{ include "gateway.name" . }}
{{ include "gateway.podSecurity" . }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- $containers := list .component }}
  {{- if and (eq .component "directory") .root.Values.directory.operatorCommands }}
  {{- $containers = append $containers "operator" }}
  {{- end }}
  {{- range $containers }}
  - name: {{ . }}-secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range $file, $secret := include "gateway.secrets" (dict "root" $.root "component" .) | fromYaml }}
        - secret:
            name: {{ $secret.existingSecret | quote }}
            items:
              - key: {{ $secret.key | quote }}
                path: {{ $file }}
        {{- end }}
  {{- end }}
  {{- if and (eq .component "sso") .root.Values.openid.clients.existingSecret }}
  - name: sso-signing-keys
    projected:
      defaultMode: 0440
      sources:
        - secret:
            name: {{ .root.Values.openid.signingKeys.existingSecret | quote }}
            items:
              - {key: current.pem, path: current.pem}
              - {key: next.pem, path: next.pem}
        {{- /* There is none before the first turn. */}}
        - secret:
            name: {{ .root.Values.openid.signingKeys.existingSecret | quote }}
            optional: true
            items:
              - {key: previous.pem, path: previous.pem}
  {{- end }}
  {{- range $containers }}
  - name: {{ . }}-tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- end }}
{{- end -}}
