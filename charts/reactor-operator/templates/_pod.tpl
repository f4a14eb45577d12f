{{/* metadata of a component's pods: (dict "root" $ "component" "gateway" "values" .Values.gateway) */}}
{{- define "reactor.podMetadata" -}}
labels:
  {{- include "reactor.labels" . | nindent 2 }}
  {{- with .values.labels }}{{ toYaml . | nindent 2 }}{{ end }}
{{- with .values.annotations }}
annotations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* what a PodSpec of this chart has beside its containers and volumes */}}
{{- define "reactor.podSpec" -}}
serviceAccountName: {{ include "reactor.serviceAccount" . }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with concat .root.Values.imagePullSecrets .values.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "reactor.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* what the operator and the gateway are told alike */}}
{{- define "reactor.sharedEnv" -}}
- {name: REACTOR_INSTALLATION, value: {{ .root.Release.Name | quote }}}
- {name: REACTOR_REDIS_URL, value: {{ include "reactor.redisAddress" .root | quote }}}
{{- if include "reactor.redisNeedsPassword" .root }}
- {name: REACTOR_REDIS_PASSWORD_FILE, value: /etc/reactor/redis/password}
{{- end }}
- {name: REACTOR_TOKEN_KEY_FILE, value: /etc/reactor/token/key}
- {name: REACTOR_SENSITIVE_KEYS_FILE, value: /etc/reactor/sensitive/keys}
- {name: REACTOR_LOG_LEVEL, value: {{ .root.Values.settings.logLevel | quote }}}
- {name: REACTOR_POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: REACTOR_POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
{{- if and .root.Values.gateway.api.enabled .root.Values.taskLogs.keep }}
- {name: REACTOR_TASK_LOGS, value: "true"}
- {name: REACTOR_TASK_LOGS_BYTES_PER_RUN, value: {{ .root.Values.taskLogs.bytesPerRun | int64 | quote }}}
- {name: REACTOR_TASK_LOGS_SENSITIVE, value: {{ .root.Values.taskLogs.sensitive | quote }}}
{{- end }}
{{- end }}

{{- define "reactor.sharedMounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: token, mountPath: /etc/reactor/token, readOnly: true}
- {name: sensitive, mountPath: /etc/reactor/sensitive, readOnly: true}
{{- if include "reactor.redisNeedsPassword" . }}
- {name: redis, mountPath: /etc/reactor/redis, readOnly: true}
{{- end }}
{{- if and (not .Values.redis.enabled) .Values.redis.external.caSecret.name }}
- {name: redis-ca, mountPath: /etc/reactor/redis-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "reactor.redisPasswordVolume" -}}
- name: redis
  secret: {secretName: {{ include "reactor.redisSecret" . }}, defaultMode: 0440, items: [{key: {{ .Values.redis.existingSecret.key }}, path: password}]}
{{- end }}

{{- define "reactor.sharedVolumes" -}}
- name: tmp
  emptyDir: {}
- name: token
  secret: {secretName: {{ include "reactor.tokenKeySecret" . }}, defaultMode: 0440, items: [{key: {{ .Values.tokenKey.existingSecret.key }}, path: key}]}
- name: sensitive
  secret: {secretName: {{ include "reactor.sensitiveKeysSecret" . }}, defaultMode: 0440, items: [{key: {{ .Values.sensitiveKeys.existingSecret.key }}, path: keys}]}
{{- if include "reactor.redisNeedsPassword" . }}
{{ include "reactor.redisPasswordVolume" . }}
{{- end }}
{{- if and (not .Values.redis.enabled) .Values.redis.external.caSecret.name }}
- name: redis-ca
  secret: {secretName: {{ .Values.redis.external.caSecret.name }}, defaultMode: 0440, items: [{key: {{ .Values.redis.external.caSecret.key }}, path: ca.crt}]}
{{- end }}
{{- end }}

{{- define "reactor.probes" -}}
startupProbe: {httpGet: {path: /healthz, port: health}, periodSeconds: 1, failureThreshold: 120}
livenessProbe: {httpGet: {path: /healthz, port: health}, periodSeconds: 10, failureThreshold: 3, timeoutSeconds: 5}
readinessProbe: {httpGet: {path: /readyz, port: health}, periodSeconds: 2, timeoutSeconds: 2}
{{- end }}
