{{/* What all pods share, the migrate Job's too. */}}

{{- define "gateway.container" -}}
image: {{ include "gateway.image" . | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{ include "gateway.containerSecurity" . }}
env:
  {{- include "gateway.env" . | nindent 2 }}
volumeMounts:
  - name: secrets
    mountPath: /run/secrets/identity-gateway
    readOnly: true
  - name: tmp
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
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range $file, $secret := include "gateway.secrets" . | fromYaml }}
        - secret:
            name: {{ $secret.existingSecret | quote }}
            items:
              - key: {{ $secret.key | quote }}
                path: {{ $file }}
        {{- end }}
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
{{- end -}}
