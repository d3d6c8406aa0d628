{{/* (context block name): a claim of the set. No label of the release: the field is immutable. */}}
{{- define "quorate.claimTemplate" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .name }}
  {{- with .block.labels }}
  labels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .block.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  accessModes:
    {{- toYaml .block.accessModes | nindent 4 }}
  {{- with include "quorate.storageClass" (dict "root" .context.root "class" .block.storageClass) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .block.selector }}
  selector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  resources:
    requests:
      storage: {{ .block.size }}
{{- end -}}

{{- define "quorate.statefulset" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "quorate.metadata" (merge (dict "objectName" (include "quorate.fullname" .)) .) | nindent 2 }}
spec:
  {{- with include "quorate.replicas" . }}
  replicas: {{ . }}
  {{- end }}
  serviceName: {{ include "quorate.headlessService" . }}
  podManagementPolicy: {{ .values.podManagementPolicy }}
  minReadySeconds: {{ .values.minReadySeconds }}
  revisionHistoryLimit: {{ .values.revisionHistoryLimit }}
  updateStrategy:
    {{- toYaml .values.updateStrategy | nindent 4 }}
  selector:
    matchLabels:
      {{- include "quorate.selectorLabels" . | nindent 6 }}
  template:
    {{- include "quorate.podTemplate" . | nindent 4 }}
  {{- if .values.persistence.enabled }}
  persistentVolumeClaimRetentionPolicy:
    {{- toYaml .values.persistentVolumeClaimRetentionPolicy | nindent 4 }}
  volumeClaimTemplates:
    {{- range .descriptor.claims }}
    {{- $block := eq .block "log" | ternary $.values.persistence.log $.values.persistence }}
    - {{- include "quorate.claimTemplate" (dict "context" $ "block" $block "name" .name) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}
