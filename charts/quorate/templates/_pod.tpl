{{/* The names that other environment values are made of, first in the list. */}}
{{- define "quorate.podEnv" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end -}}

{{/* A probe: (context, probe of the descriptor, timings of the values). Ports are numbers: a probe
can resolve no other container's names. */}}
{{- define "quorate.probe" -}}
httpGet:
  path: {{ .probe.path }}
  port: {{ eq .probe.port "agent" | ternary .context.root.Values.agent.port (index .context.descriptor.ports .probe.port) }}
{{- toYaml .timings | nindent 0 }}
{{- end -}}

{{- define "quorate.affinity" -}}
{{- if .values.affinity }}
affinity:
  {{- toYaml .values.affinity | nindent 2 }}
{{- else if .values.podAntiAffinity }}
affinity:
  podAntiAffinity:
    {{- if eq .values.podAntiAffinity "hard" }}
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "quorate.selectorLabels" . | nindent 12 }}
    {{- else }}
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "quorate.selectorLabels" . | nindent 14 }}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "quorate.topologySpread" -}}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - {{- $constraint := deepCopy . }}
    {{- if not $constraint.labelSelector }}
    {{- $_ := set $constraint "labelSelector" (dict "matchLabels" (include "quorate.selectorLabels" $ | fromYaml)) }}
    {{- end }}
    {{- toYaml $constraint | nindent 4 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The engine's container. */}}
{{- define "quorate.mainContainer" -}}
name: {{ .descriptor.container }}
{{- $image := dict "root" .root "image" (default .values.image .descriptor.image) "own" (hasKey .descriptor "image") }}
image: {{ include "quorate.image" $image }}
imagePullPolicy: {{ include "quorate.imagePullPolicy" $image }}
command:
  {{- toYaml (default .descriptor.command .values.command) | nindent 2 }}
{{- with concat (default (default list .descriptor.args) .values.args) (default list .values.extraArgs) }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  {{- include "quorate.podEnv" . | nindent 2 }}
  {{- with .descriptor.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- range $name, $port := omit .descriptor.ports "exporter" }}
  - name: {{ $name }}
    containerPort: {{ $port }}
    protocol: TCP
  {{- end }}
startupProbe:
  {{- include "quorate.probe" (dict "context" . "probe" .descriptor.probes.startup "timings" .values.probes.startup) | nindent 2 }}
livenessProbe:
  {{- include "quorate.probe" (dict "context" . "probe" .descriptor.probes.liveness "timings" .values.probes.liveness) | nindent 2 }}
readinessProbe:
  {{- include "quorate.probe" (dict "context" . "probe" .descriptor.probes.readiness "timings" .values.probes.readiness) | nindent 2 }}
lifecycle:
  preStop:
    {{- include "quorate.agent.preStop" . | nindent 4 }}
{{- with .values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .values.containerSecurityContext | nindent 2 }}
volumeMounts:
  {{- range .descriptor.claims }}
  - name: {{ .name }}
    mountPath: {{ .mountPath }}
  {{- end }}
  - name: config
    mountPath: {{ .descriptor.configDirectory }}
    readOnly: true
  {{- if .descriptor.secretKeys }}
  - name: secrets
    mountPath: {{ .descriptor.secretDirectory }}
    readOnly: true
  {{- end }}
  {{- if .descriptor.tlsSecret }}
  - name: tls
    mountPath: {{ .descriptor.tlsDirectory }}
    readOnly: true
  {{- end }}
  {{- if and .descriptor.treeTlsSecret .descriptor.treeInEngine }}
  - name: tree-tls
    mountPath: {{ include "quorate.treeTlsDirectory" . }}
    readOnly: true
  {{- end }}
  - name: run
    mountPath: {{ include "quorate.agent.runDirectory" . }}
  - name: tmp
    mountPath: /tmp
  {{- with .descriptor.sharedMemory }}
  - name: shared-memory
    mountPath: /dev/shm
  {{- end }}
  {{- with .values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
The exporter of an engine without metrics in Prometheus' format. It has no probe: what cannot be measured
serves all the same.
*/}}
{{- define "quorate.exporterContainer" -}}
{{- $exporter := .values.metrics.exporter -}}
{{- $image := dict "root" .root "image" $exporter.image "own" true -}}
name: exporter
image: {{ include "quorate.image" $image }}
imagePullPolicy: {{ include "quorate.imagePullPolicy" $image }}
args:
  {{- toYaml (concat .descriptor.exporter.args $exporter.extraArgs) | nindent 2 }}
env:
  {{- include "quorate.podEnv" . | nindent 2 }}
  {{- with .descriptor.exporter.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: exporter
    containerPort: {{ $exporter.port }}
    protocol: TCP
{{- with $exporter.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "quorate.restrictedContainer" . | nindent 2 }}
{{- with .descriptor.tlsSecret }}
volumeMounts:
  - name: tls
    mountPath: {{ $.descriptor.tlsDirectory }}
    readOnly: true
{{- end }}
{{- end -}}

{{/* (context key): a key of the component's secret as the value of an environment variable. */}}
{{- define "quorate.secretValue" -}}
valueFrom:
  secretKeyRef:
    name: {{ include "quorate.secretName" .context }}
    key: {{ .key }}
{{- end -}}

{{/* (context keys): a secret's keys as files, readable by the pod's group alone. */}}
{{- define "quorate.secretVolume" -}}
secret:
  secretName: {{ include "quorate.secretName" .context }}
  defaultMode: 288 # 0440
  items:
    {{- range $key, $file := .keys }}
    - key: {{ $key }}
      path: {{ $file }}
    {{- end }}
{{- end -}}

{{- define "quorate.volumes" -}}
- name: config
  configMap:
    name: {{ include "quorate.configMap" . }}
{{- with .descriptor.secretKeys }}
- name: secrets
  {{- include "quorate.secretVolume" (dict "context" $ "keys" .) | nindent 2 }}
{{- end }}
{{- with .descriptor.agentSecretKeys }}
- name: agent-secrets
  {{- include "quorate.secretVolume" (dict "context" $ "keys" .) | nindent 2 }}
{{- end }}
{{- range $name, $secret := dict "tls" .descriptor.tlsSecret "tree-tls" .descriptor.treeTlsSecret }}
{{- if $secret }}
- name: {{ $name }}
  secret:
    secretName: {{ $secret }}
    defaultMode: 288 # 0440
{{- end }}
{{- end }}
- {{- include "quorate.tokenVolume" . | nindent 2 }}
- name: run
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with .descriptor.sharedMemory }}
- name: shared-memory
  emptyDir:
    medium: Memory
    sizeLimit: {{ . }}
{{- end }}
{{- if not .values.persistence.enabled }}
{{- range .descriptor.claims }}
- name: {{ .name }}
  emptyDir: {}
{{- end }}
{{- end }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The pod template of every component: agent, engine, volumes, placement. */}}
{{- define "quorate.podTemplate" -}}
metadata:
  labels:
    {{- $labels := mergeOverwrite (include "quorate.labels" . | fromYaml) (default dict .values.podLabels) (include "quorate.selectorLabels" . | fromYaml) }}
    {{- if and .root.Values.server.enabled (ne .name "server") }}
    {{- $_ := set $labels (include "quorate.clientLabel" (omit . "descriptor")) "true" }}
    {{- end }}
    {{- toYaml (omit $labels "helm.sh/chart") | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ .descriptor.container }}
    checksum/config: {{ .descriptor.configFiles | toYaml | sha256sum }}
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with include "quorate.imagePullSecrets" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  serviceAccountName: {{ include "quorate.serviceAccountName" . }}
  automountServiceAccountToken: false
  # A Service's variables (QUORATE_CLIENT_PORT of a Service quorate-client) would be taken for settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml .values.podSecurityContext | nindent 4 }}
  {{- with include "quorate.affinity" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with include "quorate.topologySpread" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with default .root.Values.global.priorityClassName .values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .values.schedulerName }}
  schedulerName: {{ . }}
  {{- end }}
  {{- with .values.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  initContainers:
    {{- with .values.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - {{- include "quorate.agent.container" . | nindent 6 }}
  containers:
    - {{- include "quorate.mainContainer" . | nindent 6 }}
    {{- if .descriptor.exporter }}
    - {{- include "quorate.exporterContainer" . | nindent 6 }}
    {{- end }}
    {{- with .values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "quorate.volumes" . | nindent 4 }}
{{- end -}}

{{/* Pod security `restricted`, for the pods of hooks. */}}
{{- define "quorate.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "quorate.restrictedContainer" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
