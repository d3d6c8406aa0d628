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

{{/*
The Services of clients that the descriptor names; only the first may have node ports and an address that are given.
`own` has what the others take from the values of all, `pod` is the only one behind it.
*/}}
{{- define "quorate.clientServiceObjects" -}}
{{- range $index, $service := .descriptor.services }}
{{- $given := dict "service" $service "nodePorts" (ternary (default dict $.values.service.nodePorts) dict (eq $index 0)) }}
{{- $address := (default $.values.service $service.own).clusterIP }}
{{- if or (eq $index 0) $service.own (eq (toString $address) "None") }}{{ $_ := set $given "clusterIP" $address }}{{ end }}
---
{{ include "quorate.clientServiceObject" (merge (dict "client" $given) $) }}
{{- end }}
{{- end -}}

{{- define "quorate.clientServiceObject" -}}
{{- $service := default .values.service .client.service.own -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "quorate.metadata" (merge (dict "objectName" (include "quorate.serviceName" (dict "context" . "service" .client.service)) "labels" $service.labels "annotations" $service.annotations) .) | nindent 2 }}
spec:
  type: {{ $service.type }}
  {{- with .client.clusterIP }}
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
    {{- with .client.service.role }}
    {{ include "quorate.agent.roleLabel" $ }}: {{ . }}
    {{- end }}
    {{- with .client.service.pod }}
    statefulset.kubernetes.io/pod-name: {{ . }}
    {{- end }}
  ports:
    {{- include "quorate.servicePorts" (dict "context" . "names" .descriptor.clientPorts "nodePorts" .client.nodePorts) | trim | nindent 4 }}
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

{{/*
(context ordinal): a member's own address outside of the cluster. It is published before the pod is Ready:
a member takes part in the cluster by then.
*/}}
{{- define "quorate.memberServiceObject" -}}
{{- $context := .context -}}
{{- $external := $context.values.external -}}
{{- $pod := printf "%s-%d" (include "quorate.fullname" $context) .ordinal -}}
{{- $annotations := $external.annotations | toJson | replace "{ordinal}" (toString .ordinal) | replace "{pod}" $pod | fromJson -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "quorate.metadata" (merge (dict "objectName" $pod "labels" (dict "quorate/service" "member") "annotations" $annotations) $context) | nindent 2 }}
spec:
  type: {{ $external.type }}
  {{- with $external.externalTrafficPolicy }}
  externalTrafficPolicy: {{ . }}
  {{- end }}
  {{- with $external.loadBalancerClass }}
  loadBalancerClass: {{ . }}
  {{- end }}
  {{- with $external.loadBalancerSourceRanges }}
  loadBalancerSourceRanges:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  publishNotReadyAddresses: true
  selector:
    {{- include "quorate.selectorLabels" $context | nindent 4 }}
    statefulset.kubernetes.io/pod-name: {{ $pod }}
  ports:
    - name: external
      port: {{ $context.values.ports.external }}
      targetPort: {{ $context.values.ports.external }}
      protocol: TCP
      {{- if eq $external.type "NodePort" }}
      nodePort: {{ add $external.nodePort .ordinal }}
      {{- end }}
{{- end -}}

{{- define "quorate.memberServiceObjects" -}}
{{- range $ordinal := until (int .descriptor.memberServices) }}
---
{{ include "quorate.memberServiceObject" (dict "context" $ "ordinal" $ordinal) }}
{{- end }}
{{- end -}}
