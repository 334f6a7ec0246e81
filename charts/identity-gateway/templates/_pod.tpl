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
  {{- range $containers }}
  - name: {{ . }}-tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- end }}
{{- end -}}
