{{/* (context names): ports of a Service, by name from the descriptor. */}}
{{- define "quorate.servicePorts" -}}
{{- range .names }}
- name: {{ . }}
  port: {{ index $.context.descriptor.ports . }}
  targetPort: {{ index $.context.descriptor.ports . }}
  protocol: TCP
  {{- with index (default dict $.nodePorts) . }}
  nodePort: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Numeric: the port of a native sidecar has no name to Services before Kubernetes 1.32. */}}
{{- define "quorate.agentServicePort" -}}
- name: agent
  port: {{ .root.Values.agent.port }}
  targetPort: {{ .root.Values.agent.port }}
  protocol: TCP
{{- end -}}

{{- define "quorate.clientServiceObject" -}}
{{- $service := .values.service -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "quorate.metadata" (merge (dict "objectName" (include "quorate.clientService" .) "labels" $service.labels "annotations" $service.annotations) .) | nindent 2 }}
spec:
  type: {{ $service.type }}
  {{- with $service.clusterIP }}
  clusterIP: {{ . }}
  {{- end }}
  {{- with $service.loadBalancerClass }}
  loadBalancerClass: {{ . }}
  {{- end }}
  {{- with $service.loadBalancerSourceRanges }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $service.externalTrafficPolicy }}
  externalTrafficPolicy: {{ . }}
  {{- end }}
  {{- with $service.sessionAffinity }}
  sessionAffinity: {{ . }}
  {{- end }}
  {{- with $service.ipFamilyPolicy }}
  ipFamilyPolicy: {{ . }}
  {{- end }}
  {{- with $service.ipFamilies }}
  ipFamilies:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  selector:
    {{- include "quorate.selectorLabels" . | nindent 4 }}
  ports:
    {{- include "quorate.servicePorts" (dict "context" . "names" .descriptor.clientPorts "nodePorts" $service.nodePorts) | trim | nindent 4 }}
{{- end -}}

{{/* Names for pods that are not Ready too: peers and agents need each other to become so. */}}
{{- define "quorate.headlessServiceObject" -}}
{{- $service := .values.headlessService -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "quorate.metadata" (merge (dict "objectName" (include "quorate.headlessService" .) "labels" $service.labels "annotations" $service.annotations) .) | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "quorate.selectorLabels" . | nindent 4 }}
  ports:
    {{- include "quorate.servicePorts" (dict "context" . "names" (concat .descriptor.clientPorts .descriptor.peerPorts)) | trim | nindent 4 }}
    {{- include "quorate.agentServicePort" . | nindent 4 }}
{{- end -}}

{{- define "quorate.metricsServiceObject" -}}
{{- if .values.metrics.enabled -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "quorate.metadata" (merge (dict "objectName" (include "quorate.metricsService" .) "labels" (dict "quorate/service" "metrics") "annotations" .values.metrics.annotations) .) | nindent 2 }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "quorate.selectorLabels" . | nindent 4 }}
  ports:
    {{- include "quorate.servicePorts" (dict "context" . "names" .descriptor.metricsPorts) | trim | nindent 4 }}
    {{- include "quorate.agentServicePort" . | nindent 4 }}
{{- end -}}
{{- end -}}
