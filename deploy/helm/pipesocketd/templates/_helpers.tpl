{{- define "pipesocketd.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "pipesocketd.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pipesocketd.labels" -}}
{{ include "pipesocketd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "pipesocketd.secret" -}}
{{ .Values.existingSecret | default (include "pipesocketd.name" .) }}
{{- end -}}

{{- /* What must be given, told before anything is installed. */ -}}
{{- define "pipesocketd.check" -}}
{{- $cluster := .Values.config.cluster | default dict -}}
{{- if not (or .Values.existingSecret .Values.existingConfigSecret) -}}
{{- if not (and .Values.secrets.PIPESOCKETD_APP_KEY .Values.secrets.PIPESOCKETD_APP_SECRET) -}}
{{- fail "set secrets.PIPESOCKETD_APP_KEY and secrets.PIPESOCKETD_APP_SECRET, or existingSecret" -}}
{{- end -}}
{{- if and .Values.embedded (not (or .Values.secrets.PIPESOCKETD_CLUSTER_SECRET $cluster.tls)) -}}
{{- fail "with embedded, set secrets.PIPESOCKETD_CLUSTER_SECRET, or config.cluster.tls" -}}
{{- end -}}
{{- $engine := or .Values.embedded $cluster.engine .Values.secrets.PIPESOCKETD_CLUSTER_ENGINE -}}
{{- if and (gt (int .Values.replicas) 1) (not $engine) -}}
{{- fail "more than one replica needs a cluster engine: set embedded, config.cluster.engine or secrets.PIPESOCKETD_CLUSTER_ENGINE" -}}
{{- end -}}
{{- end -}}
{{- end -}}
