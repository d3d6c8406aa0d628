{{/*
Any other engine: a component for each key of `generic`. Its block is the agent's document (docs/generic.md) beside the
keys that every component has.
*/}}
{{- define "quorate.generic.descriptor" -}}
{{- $name := .name | kebabcase -}}
{{- $context := merge (dict "descriptor" (dict "suffix" (printf "-%s" $name))) . -}}
{{- $clientPorts := include "quorate.generic.clientPorts" . | fromYamlArray -}}
suffix: -{{ $name }}
engine: generic
container: {{ $name }}
image:
  {{- toYaml .values.image | nindent 2 }}
command: [/bin/sh, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.permitBegin" . | nindent 4 }}
    exec{{ range .values.engineCommand }} {{ include "quorate.generic.word" . }}{{ end }} $permit "$@"
    {{- include "quorate.permitEnd" . | nindent 4 }}
tlsSecret: ""
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
sharedMemory: ""
ports:
  {{- toYaml .values.ports | nindent 2 }}
clientPorts: {{ $clientPorts | toJson }}
peerPorts: {{ .values.peerPorts | toJson }}
metricsPorts: {{ .values.metricsPorts | toJson }}
{{- if not $clientPorts }}
services: []
{{- else if .values.roleServices }}
services:
  {{- range $suffix, $role := .values.roleServices }}
  - suffix: {{ $suffix }}
    role: {{ $role }}
  {{- end }}
{{- else }}
services:
  - suffix: cs
{{- end }}
env: []
claims:
  - name: {{ .values.persistence.name }}
    mountPath: {{ .values.dataDirectory }}
    block: persistence
probes:
  startup: {path: /engine/startupz, port: agent}
  liveness: {path: /engine/livez, port: agent}
  readiness: {path: /engine/readyz, port: agent}
{{- with .values.auth.keys }}
secretDirectory: /etc/quorate-secrets
secretKeys: &keys
  {{- range . }}
  {{ . }}: {{ . }}
  {{- end }}
agentSecretKeys: *keys
generatedKeys: {{ . | toJson }}
{{- end }}
agentEnv:
  DATA_DIRECTORY: {{ .values.dataDirectory }}
  # In a value of an environment $$ stands for $.
  GENERIC: {{ include "quorate.generic.document" . | replace "$" "$$" | quote }}
  {{- if .values.auth.keys }}
  GENERIC_SECRETS: {{ include "quorate.agent.secretDirectory" . }}
  {{- end }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
roleLabel: {{ not (empty .values.role) }}
{{- with include "quorate.generic.users" . | fromYamlArray }}
clientComponents: {{ . | toJson }}
{{- end }}
{{- with .values.uses }}
uses:
  {{- range $used := . }}
  {{- $other := dict }}
  {{- include "quorate.setComponent" (dict "root" $.root "name" $used "into" $other) }}
  {{- range $port := $other.values.ports }}
  - {component: {{ $used }}, port: {{ $port }}}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* A word of a shell's command. */}}
{{- define "quorate.generic.word" -}}
'{{ . | replace "'" "'\\''" }}'
{{- end -}}

{{/* The chart's own block of a component over genericDefaults; its command is the script's, not the container's. */}}
{{- define "quorate.generic.setValues" -}}
{{- $values := mergeOverwrite (deepCopy .root.Values.genericDefaults) (deepCopy (default dict (index .root.Values.generic .name))) -}}
{{- $_ := set $values "engineCommand" $values.command -}}
{{- $_ := set $values "command" list -}}
{{- $other := $values.auth.sameAs -}}
{{- if and $other (hasKey .root.Values.generic $other) (ne $other .name) -}}
{{- $theirs := dict -}}
{{- include "quorate.generic.setValues" (dict "root" .root "name" $other "into" $theirs) -}}
{{- $context := dict "root" .root "values" $theirs.values "descriptor" (dict "suffix" (printf "-%s" ($other | kebabcase))) -}}
{{- $_ := set $values.auth "existingSecret" (include "quorate.secretName" $context) -}}
{{- end -}}
{{- $_ := set .into "values" $values -}}
{{- end -}}

{{- define "quorate.generic.clientPorts" -}}
{{- $ports := list -}}
{{- range $port := keys .values.ports | sortAlpha -}}
{{- if not (or (has $port $.values.peerPorts) (has $port $.values.metricsPorts)) }}{{ $ports = append $ports $port }}{{ end -}}
{{- end -}}
{{- if and .values.port (has .values.port $ports) }}{{ $ports = prepend (without $ports .values.port) .values.port }}{{ end -}}
{{- $ports | toJson -}}
{{- end -}}

{{/* Components of `generic` that use this one. */}}
{{- define "quorate.generic.users" -}}
{{- $users := list -}}
{{- range $name, $block := .root.Values.generic -}}
{{- if has $.name (default list (default dict $block).uses) }}{{ $users = append $users $name }}{{ end -}}
{{- end -}}
{{- sortAlpha $users | toJson -}}
{{- end -}}

{{/* What the agent is told of the engine. */}}
{{- define "quorate.generic.document" -}}
{{- $values := .values -}}
{{- $document := dict "ports" $values.ports "version" (toString $values.image.tag) -}}
{{- range $key := list "role" "start" "hooks" "bootstrap" "order" "removedReturns" "leaves" -}}
{{- with index $values $key }}{{ $_ := set $document $key . }}{{ end -}}
{{- end -}}
{{- with include "quorate.generic.clientPorts" . | fromYamlArray }}{{ $_ := set $document "port" (first .) }}{{ end -}}
{{- $health := deepCopy (default dict $values.health) -}}
{{- if not $health.startup }}{{ $_ := set $health "startup" (dict "tcp" dict) }}{{ end -}}
{{- $_ := set $document "health" $health -}}
{{- $files := list -}}
{{- range $file, $spec := $values.files -}}
{{- $files = append $files (merge (dict "name" $file) (default dict $spec)) -}}
{{- end -}}
{{- with $files }}{{ $_ := set $document "files" . }}{{ end -}}
{{- $uses := dict -}}
{{- range $used := $values.uses -}}
{{- $other := dict -}}
{{- include "quorate.setComponent" (dict "root" $.root "name" $used "into" $other) -}}
{{- $context := dict "root" $.root "descriptor" (dict "suffix" (printf "-%s" ($used | kebabcase))) -}}
{{- $leader := dict "postgresql" "primary" "mongodb" "primary" "kafka" "controller" "allegrograph" "controlling" -}}
{{- $leads := get $leader $used -}}
{{- if eq $other.kind "generic" }}{{ $leads = (default dict $other.values.role).leader }}{{ end -}}
{{- $cluster := dict "cluster" (include "quorate.fullname" $context) -}}
{{- with $leads }}{{ $_ := set $cluster "leader" . }}{{ end -}}
{{- $_ := set $uses $used $cluster -}}
{{- end -}}
{{- if $uses }}{{ $_ := set $document "uses" $uses }}{{ end -}}
{{- $document | toJson -}}
{{- end -}}

{{- define "quorate.generic.fixedSettings" -}}
{{- end -}}

{{- define "quorate.generic.notes" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "quorate.fullname" . }}

{{ .name }}, by the image {{ .values.image.repository }}:{{ .values.image.tag }}
{{- range .descriptor.services }}
  {{ default "members" .role }}   {{ include "quorate.serviceName" (dict "context" $ "service" .) }}.{{ include "quorate.serviceDomain" $ }}:{{ index $.descriptor.ports (first $.descriptor.clientPorts) }}
{{- end }}
{{- if .values.files }}
  files     znodes below {{ include "quorate.treeRoot" . }}/members/v1/clusters/{{ $fullname }}/files
{{- end }}
  kubectl -n {{ $namespace }} rollout status statefulset/{{ $fullname }}
{{- end -}}
