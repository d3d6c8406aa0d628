{{/* What never changes: the only labels of selectors. */}}
{{- define "quorate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "quorate.name" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name | kebabcase }}
{{- end -}}

{{- define "quorate.labels" -}}
{{ include "quorate.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | replace "+" "_" | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_" | quote }}
app.kubernetes.io/part-of: {{ .root.Chart.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ include "quorate.chart" . }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* metadata of an object: the context with objectName, objectNamespace, labels, annotations. */}}
{{- define "quorate.metadata" -}}
name: {{ .objectName }}
namespace: {{ default .root.Release.Namespace .objectNamespace }}
labels:
  {{- $labels := include "quorate.labels" . | fromYaml }}
  {{- toYaml (mergeOverwrite $labels (default dict .labels)) | nindent 2 }}
{{- $annotations := mergeOverwrite (deepCopy (default dict .root.Values.commonAnnotations)) (default dict .annotations) }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The label that lets a pod be a client where networkPolicy.allowExternal is false. */}}
{{- define "quorate.clientLabel" -}}
{{ include "quorate.fullname" . }}-client
{{- end -}}
