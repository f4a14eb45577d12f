{{- define "reactor.fullname" -}}
{{- if or (contains .Chart.Name .Release.Name) (contains .Release.Name .Chart.Name) }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* labels of one component: (dict "root" $ "component" "gateway") */}}
{{- define "reactor.selector" -}}
app.kubernetes.io/name: reactor-operator
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "reactor.labels" -}}
{{ include "reactor.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: reactor-operator
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | quote }}
{{- end }}

{{/* an image's reference: (dict "root" $ "image" .Values.x.image) */}}
{{- define "reactor.image" -}}
{{- with .image.registry }}{{ . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "reactor.serviceAccount" -}}
{{ include "reactor.fullname" .root }}-{{ .component }}
{{- end }}

{{/* the namespaces of scope `namespaces`, as a JSON list; empty for scope `cluster` */}}
{{- define "reactor.namespaces" -}}
{{- if eq .Values.scope "cluster" }}[]{{ else if .Values.watchNamespaces }}{{ .Values.watchNamespaces | uniq | toJson }}{{ else }}{{ list .Release.Namespace | toJson }}{{ end }}
{{- end }}

{{- define "reactor.gatewayAddress" -}}
{{/* the dot at the end spares every step pod a walk through its DNS search list */ -}}
http://{{ include "reactor.fullname" . }}-gateway.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}.:8080
{{- end }}

{{- define "reactor.redisAddress" -}}
{{- if .Values.redis.enabled -}}
redis://{{ include "reactor.fullname" . }}-redis.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}.:6379/0
{{- else -}}
{{- $url := required "redis.external.url is empty and redis.enabled is false: say where Redis is, for example rediss://redis.example:6379/0" .Values.redis.external.url }}
{{- with .Values.redis.external.username }}{{ $url = replace "://" (printf "://%s@" (urlquery . | replace "+" "%20")) $url }}{{ end }}
{{- if .Values.redis.external.caSecret.name }}{{ $url = printf "%s%sssl_ca_certs=/etc/reactor/redis-ca/ca.crt" $url (contains "?" $url | ternary "&" "?") }}{{ end }}
{{- $url }}
{{- end }}
{{- end }}

{{- define "reactor.redisNeedsPassword" -}}
{{- if or .Values.redis.enabled .Values.redis.external.password }}true{{ end }}
{{- end }}

{{- define "reactor.redisSecret" -}}
{{ .Values.redis.existingSecret.name | default (printf "%s-redis" (include "reactor.fullname" .)) }}
{{- end }}

{{- define "reactor.tokenKeySecret" -}}
{{ .Values.tokenKey.existingSecret.name | default (printf "%s-token-key" (include "reactor.fullname" .)) }}
{{- end }}

{{- define "reactor.sensitiveKeysSecret" -}}
{{ .Values.sensitiveKeys.existingSecret.name | default (printf "%s-sensitive-keys" (include "reactor.fullname" .)) }}
{{- end }}

{{/* the Secrets that a Job has to draw, as "name:key" words */}}
{{- define "reactor.drawnSecrets" -}}
{{- $drawn := list }}
{{- if and (include "reactor.redisNeedsPassword" .) (not .Values.redis.existingSecret.name) }}
{{- $address := include "reactor.redisAddress" . }}
{{- if not .Values.redis.enabled }}{{ fail "redis.external.password is true and redis.existingSecret.name is empty: name the Secret with the password of the external Redis" }}{{ end }}
{{- $drawn = append $drawn (printf "%s:%s" (include "reactor.redisSecret" .) .Values.redis.existingSecret.key) }}
{{- end }}
{{- if not .Values.tokenKey.existingSecret.name }}{{ $drawn = append $drawn (printf "%s:%s" (include "reactor.tokenKeySecret" .) .Values.tokenKey.existingSecret.key) }}{{ end }}
{{- if not .Values.sensitiveKeys.existingSecret.name }}{{ $drawn = append $drawn (printf "%s:%s" (include "reactor.sensitiveKeysSecret" .) .Values.sensitiveKeys.existingSecret.key) }}{{ end }}
{{- join " " $drawn }}
{{- end }}
