{{/* The controlling instance of AllegroGraph's multi-master replication; its copies are a component of their own. */}}
{{- define "quorate.allegrograph.descriptor" -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-allegrograph")) . -}}
suffix: -allegrograph
{{ include "quorate.allegrograph.common" (merge (dict "controlling" .values "label" "allegrograph") .) }}
services:
  - suffix: cs
agentEnv:
  ALLEGROGRAPH_ROLE: controlling
  ALLEGROGRAPH_COPIES: {{ include "quorate.fullname" (include "quorate.allegrographCopies.context" . | fromYaml | merge (dict "root" .root)) }}
  {{- include "quorate.allegrograph.agentEnv" . | nindent 2 }}
generatedKeys: [password]
{{- end -}}

{{/* What the names of the objects follow from, as YAML; the root is to be added. */}}
{{- define "quorate.allegrograph.context" -}}
name: allegrograph
descriptor: {suffix: -allegrograph}
{{- end -}}

{{/* Of both kinds of instances: (controlling: the values of the controlling one, label). */}}
{{- define "quorate.allegrograph.common" -}}
engine: allegrograph
container: {{ .label }}
image:
  {{- toYaml (mergeOverwrite (deepCopy .controlling.image) (deepCopy (default dict .values.image))) | nindent 2 }}
command: [/bin/bash, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.allegrograph.script" . | nindent 4 }}
  agraph.cfg: |
    {{- include "quorate.allegrograph.config" . | nindent 4 }}
secretDirectory: /etc/quorate-secrets
secretKeys: {password: password}
agentSecretKeys: {password: password}
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
sharedMemory: {{ .values.sharedMemory | quote }}
ports:
  http: {{ .values.ports.http }}
clientPorts: [http]
peerPorts: []
partners: [allegrograph, allegrographCopies]
metricsPorts: []
{{- with .controlling.graph.license.existingSecret }}
env:
  - name: LICENSE
    valueFrom:
      secretKeyRef:
        name: {{ . }}
        key: license
{{- end }}
claims:
  - name: {{ .values.persistence.name }}
    mountPath: /agraph/data
    block: persistence
probes:
  startup: {path: /engine/startupz, port: agent}
  liveness: {path: /engine/livez, port: agent}
  readiness: {path: /engine/readyz, port: agent}
{{- end -}}

{{- define "quorate.allegrograph.agentEnv" -}}
{{- $controlling := .root.Values.allegrograph -}}
DATA_DIRECTORY: /agraph/data
ALLEGROGRAPH_PORT: {{ .values.ports.http | quote }}
ALLEGROGRAPH_REPOSITORY: {{ $controlling.graph.repository }}
ALLEGROGRAPH_USER: {{ $controlling.graph.user }}
ALLEGROGRAPH_PASSWORD_FILE: {{ include "quorate.agent.secretDirectory" . }}/password
{{- end -}}

{{/* The directives that follow from other values: `config` may not hold them. */}}
{{- define "quorate.allegrograph.fixedSettings" -}}
Port: allegrograph.ports
BaseDir: the image
SettingsDirectory: allegrograph.persistence
LogDir: allegrograph.persistence
PidFile: allegrograph.persistence
RunAs: allegrograph.podSecurityContext
SuperUser: allegrograph.graph.user
UseMainPortForSessions: allegrograph.service
{{- end -}}

{{/* Sessions go through the one port that Services have. */}}
{{- define "quorate.allegrograph.config" -}}
Port {{ .values.ports.http }}
BaseDir /agraph
SettingsDirectory /agraph/data/settings
LogDir /agraph/data/log
PidFile /agraph/data/agraph.pid
UseMainPortForSessions true
{{- $given := mergeOverwrite (deepCopy (default dict .controlling.config)) (deepCopy (default dict .values.config)) }}
{{- range $name := keys (mergeOverwrite (dict "InstanceTimeout" "604800") $given) | sortAlpha }}
{{ $name }} {{ get (mergeOverwrite (dict "InstanceTimeout" "604800") $given) $name }}
{{- end }}
<RootCatalog>
  Main /agraph/data/rootcatalog
</RootCatalog>
<SystemCatalog>
  Main /agraph/data/systemcatalog
  InstanceTimeout 10
</SystemCatalog>
{{- end -}}

{{/*
The server runs beside the shell (agraph-control): its log is followed for as long as it runs, and it is stopped by
agraph-control. The password is in a file in memory, which nobody else may read.
*/}}
{{- define "quorate.allegrograph.script" -}}
{{ include "quorate.permitBegin" . }}
umask 077
config={{ include "quorate.agent.runDirectory" . }}/agraph.cfg
{
  cat /etc/quorate/agraph.cfg
  printf 'SuperUser {{ .controlling.graph.user }}:%s\n' "$(cat /etc/quorate-secrets/password)"
  printf '%s\n' "${LICENSE:-}"
} > "$config"
mkdir -p /agraph/data/settings /agraph/data/log /agraph/data/rootcatalog /agraph/data/systemcatalog
rm -f /agraph/data/agraph.pid
touch /agraph/data/log/agraph.log
tail -n 0 -F /agraph/data/log/agraph.log &
/agraph/bin/agraph-control --config "$config" start
trap '/agraph/bin/agraph-control --config "$config" stop || true' TERM INT
tail --pid="$(cat /agraph/data/agraph.pid)" -f /dev/null &
server=$!
while kill -0 "$server" 2>/dev/null; do wait "$server" || true; done
{{ include "quorate.permitEnd" . }}
{{- end -}}

{{- define "quorate.allegrograph.validate" -}}
{{- if and (not .root.Values.secretsJob.enabled) (not .values.auth.existingSecret) }}
secretsJob.enabled is false: allegrograph.auth.existingSecret must name a secret with password
{{- end -}}
{{- end -}}

{{- define "quorate.allegrograph.notes" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "quorate.fullname" . }}

AllegroGraph {{ .values.image.tag }}, the controlling instance of repository {{ .values.graph.repository }}
  clients   http://{{ include "quorate.serviceName" (dict "context" . "service" (dict "suffix" "cs")) }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.http }}/repositories/{{ .values.graph.repository }}
  as {{ .values.graph.user }}:
    kubectl -n {{ $namespace }} get secret {{ include "quorate.secretName" . }} -o jsonpath='{.data.password}' | base64 -d
  kubectl -n {{ $namespace }} rollout status statefulset/{{ $fullname }}
AllegroGraph is software of Franz Inc.: that you run it means that you have accepted the vendor's licence terms.
{{- if not .values.graph.license.existingSecret }}
No licence is given (allegrograph.graph.license.existingSecret): the vendor's limits for servers without one hold.
{{- end }}
{{- end -}}
