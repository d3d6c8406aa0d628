{{/* Copies of AllegroGraph's controlling instance: without a volume, since every stop is a removal. */}}
{{- define "quorate.allegrographCopies.descriptor" -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-allegrograph-copies")) . -}}
{{- $controlling := include "quorate.allegrograph.context" . | fromYaml | merge (dict "root" .root "values" .root.Values.allegrograph) -}}
suffix: -allegrograph-copies
{{ include "quorate.allegrograph.common" (merge (dict "controlling" .root.Values.allegrograph "label" "allegrograph-copies") .) }}
secret: {{ include "quorate.secretName" $controlling }}
services:
  - suffix: cs
  {{- if .values.chosen.enabled }}
  - suffix: chosen
    pod: {{ include "quorate.fullname" $context }}-{{ .values.chosen.ordinal }}
    own:
      {{- toYaml .values.chosen | nindent 6 }}
  {{- end }}
agentFields:
  # Its name may still be that of the pod before it, to whoever has looked it up.
  QUORATE_AGENT_ADVERTISED_HOST: status.podIP
  QUORATE_AGENT_ALLEGROGRAPH_POD_UID: metadata.uid
agentEnv:
  CLUSTER: {{ include "quorate.fullname" $controlling }}
  ALLEGROGRAPH_ROLE: copy
  ALLEGROGRAPH_CONTROLLING: {{ include "quorate.fullname" $controlling }}-0.{{ include "quorate.headlessService" $controlling }}.{{ include "quorate.serviceDomain" . }}:{{ .root.Values.allegrograph.ports.http }}
  {{- include "quorate.allegrograph.agentEnv" . | nindent 2 }}
{{- end -}}

{{- define "quorate.allegrographCopies.context" -}}
name: allegrographCopies
descriptor: {suffix: -allegrograph-copies}
{{- end -}}

{{- define "quorate.allegrographCopies.fixedSettings" -}}
{{ include "quorate.allegrograph.fixedSettings" . | replace "allegrograph.ports" "allegrographCopies.ports" }}
{{- end -}}

{{- define "quorate.allegrographCopies.validate" -}}
{{- if not .root.Values.allegrograph.enabled }}
allegrographCopies.enabled needs allegrograph.enabled: they are copies of its repository
{{- end -}}
{{- $chosen := .values.chosen -}}
{{- $replicas := include "quorate.given" .values.replicaCount -}}
{{- if and $chosen.enabled $replicas (ge (int $chosen.ordinal) (int $replicas)) }}
allegrographCopies.chosen.ordinal is {{ $chosen.ordinal }} and allegrographCopies.replicaCount is {{ $replicas }}: there is no such copy
{{- end -}}
{{- if and $chosen.externalTrafficPolicy (eq $chosen.type "ClusterIP") }}
allegrographCopies.chosen.externalTrafficPolicy needs allegrographCopies.chosen.type NodePort or LoadBalancer
{{- end -}}
{{- if and (or $chosen.loadBalancerClass $chosen.loadBalancerSourceRanges) (ne $chosen.type "LoadBalancer") }}
allegrographCopies.chosen: loadBalancerClass and loadBalancerSourceRanges need allegrographCopies.chosen.type LoadBalancer
{{- end -}}
{{- end -}}

{{- define "quorate.allegrographCopies.notes" -}}
{{- $fullname := include "quorate.fullname" . }}

Copies of that repository: every one takes writes, and has them all in the end
  clients   http://{{ include "quorate.serviceName" (dict "context" . "service" (dict "suffix" "cs")) }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.http }}/repositories/{{ .root.Values.allegrograph.graph.repository }}
  kubectl -n {{ .root.Release.Namespace }} rollout status statefulset/{{ $fullname }}
Scale by the number alone: a copy that stops is removed, one that starts is made anew.
{{- end -}}
