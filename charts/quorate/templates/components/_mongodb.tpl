{{/* MongoDB: one replica set. */}}
{{- define "quorate.mongodb.descriptor" -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-mongodb")) . -}}
suffix: -mongodb
engine: mongodb
container: mongodb
image:
  {{- toYaml .values.image | nindent 2 }}
command: [/bin/bash, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.permitBegin" . | nindent 4 }}
    exec mongod --config /etc/quorate/mongod.conf $permit "$@"
    {{- include "quorate.permitEnd" . | nindent 4 }}
  mongod.conf: |
    {{- include "quorate.mongodb.config" . | nindent 4 }}
tlsSecret: {{ .values.tls.existingSecret | quote }}
tlsDirectory: /etc/quorate-tls
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
ports:
  mongodb: {{ .values.ports.mongodb }}
  {{- if .values.metrics.exporter.enabled }}
  exporter: {{ .values.metrics.exporter.port }}
  {{- end }}
clientPorts: [mongodb]
peerPorts: []
metricsPorts: [{{ if .values.metrics.exporter.enabled }}exporter{{ end }}]
{{- if .values.metrics.exporter.enabled }}
{{- $tls := ne .values.tls.existingSecret "" | ternary "&tls=true&tlsCAFile=/etc/quorate-tls/ca.crt" "" }}
exporter:
  args:
    - --web.listen-address=:{{ .values.metrics.exporter.port }}
    - --compatible-mode
    - --collector.diagnosticdata
    - --collector.replicasetstatus
  env:
    - name: MONGODB_USER
      value: {{ include "quorate.mongodb.metricsUser" . }}
    - name: MONGODB_PASSWORD
      {{- include "quorate.secretValue" (dict "context" $context "key" (printf "%s-password" (include "quorate.mongodb.metricsUser" .))) | nindent 6 }}
    - name: MONGODB_URI
      value: mongodb://$(POD_NAME).{{ include "quorate.headlessService" $context }}.{{ include "quorate.serviceDomain" $context }}:{{ .values.ports.mongodb }}/admin?directConnection=true{{ $tls }}
{{- end }}
services: []
env: []
claims:
  - name: {{ .values.persistence.name }}
    mountPath: /var/lib/mongodb
    block: persistence
probes:
  startup: {path: /engine/startupz, port: agent}
  liveness: {path: /engine/livez, port: agent}
  readiness: {path: /engine/readyz, port: agent}
agentSecretKeys:
  {{- range $key := include "quorate.mongodb.secretKeys" . | fromYamlArray }}
  {{ $key }}: {{ $key }}
  {{- end }}
agentEnv:
  DATA_DIRECTORY: /var/lib/mongodb
  MONGODB_PORT: {{ .values.ports.mongodb | quote }}
  MONGODB_REPLICA_SET: {{ .values.replicaSetName }}
  MONGODB_KEY_FILE: {{ include "quorate.agent.secretDirectory" . }}/key
  MONGODB_AGENT_PASSWORD_FILE: {{ include "quorate.agent.secretDirectory" . }}/agent-password
  MONGODB_USERS: {{ include "quorate.mongodb.users" . | quote }}
  {{- if .values.tls.existingSecret }}
  MONGODB_TLS_CA_FILE: /etc/quorate-tls/ca.crt
  MONGODB_TLS_CERTIFICATE_FILE: /etc/quorate-tls/tls.crt
  MONGODB_TLS_KEY_FILE: /etc/quorate-tls/tls.key
  {{- end }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
generatedKeys:
  {{- include "quorate.mongodb.secretKeys" . | nindent 2 }}
# The address of a pod that is gone answers nothing, and drivers would wait half a minute for it.
secretTexts:
  {{- range $user := keys .values.auth.users | sortAlpha }}
  uri-{{ $user }}: mongodb://{{ $user }}:{ {{- $user }}-password}@{{ include "quorate.mongodb.hosts" $context }}/?replicaSet={{ $.values.replicaSetName }}&authSource=admin&connectTimeoutMS=5000{{ if $.values.tls.existingSecret }}&tls=true{{ end }}
  {{- end }}
{{- end -}}

{{- define "quorate.mongodb.metricsUser" -}}
quorate-metrics
{{- end -}}

{{/* Those of the values, and the exporter's. */}}
{{- define "quorate.mongodb.allUsers" -}}
{{- $users := deepCopy .values.auth.users -}}
{{- if .values.metrics.exporter.enabled -}}
{{- $_ := set $users (include "quorate.mongodb.metricsUser" .) (dict "roles" (list "clusterMonitor@admin" "read@local")) -}}
{{- end -}}
{{- toYaml $users -}}
{{- end -}}

{{/* Of the secret: the key of the members, the agent's password, and one password a user. */}}
{{- define "quorate.mongodb.secretKeys" -}}
- key
- agent-password
{{- range $user := keys (include "quorate.mongodb.allUsers" . | fromYaml) | sortAlpha }}
- {{ $user }}-password
{{- end }}
{{- end -}}

{{/* NAME=ROLE@DATABASE+…:FILE, as the agent takes them. */}}
{{- define "quorate.mongodb.users" -}}
{{- $directory := include "quorate.agent.secretDirectory" . -}}
{{- $users := list -}}
{{- range $user, $account := include "quorate.mongodb.allUsers" . | fromYaml -}}
{{- $roles := $account.roles -}}
{{- $users = append $users (printf "%s=%s:%s/%s-password" $user (join "+" $roles) $directory $user) -}}
{{- end -}}
{{- join "," $users -}}
{{- end -}}

{{/* A few members are enough for a driver to find the others. */}}
{{- define "quorate.mongodb.hosts" -}}
{{- $replicas := include "quorate.replicas" . | default "3" | int -}}
{{- range $ordinal := until (int (min $replicas 3)) -}}
{{- if $ordinal }},{{ end }}{{ include "quorate.fullname" $ }}-{{ $ordinal }}.{{ include "quorate.headlessService" $ }}.{{ include "quorate.serviceDomain" $ }}:{{ $.values.ports.mongodb }}
{{- end -}}
{{- end -}}

{{/* The sections that follow from other values: `mongodb.config` may not hold them. */}}
{{- define "quorate.mongodb.fixedSettings" -}}
net.port: mongodb.ports.mongodb
net.bindIp: all addresses
net.bindIpAll: all addresses
net.tls: mongodb.tls
storage.dbPath: mongodb.persistence
replication.replSetName: mongodb.replicaSetName
security.keyFile: mongodb.auth
security.authorization: mongodb.auth
processManagement: the container
systemLog: the container
{{- end -}}

{{/*
A mongod that is told to stop serves on for 15 seconds, all that the agent's drain leaves of the grace period: five are
enough for clients to see it, since the agent has handed over by then.
*/}}
{{- define "quorate.mongodb.config" -}}
{{- $defaults := dict "setParameter" (dict "shutdownTimeoutMillisForSignaledShutdown" 5000) -}}
{{- $settings := dict "net" (dict "bindIpAll" true) "security" (dict "authorization" "enabled") -}}
{{- toYaml (mergeOverwrite $defaults (deepCopy (default dict .values.config)) $settings) -}}
{{- end -}}

{{- define "quorate.mongodb.notes" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "quorate.fullname" . }}

MongoDB {{ .values.image.tag }}, replica set {{ .values.replicaSetName }}
  members   {{ $fullname }}-N.{{ include "quorate.headlessService" . }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.mongodb }}
{{- if .root.Values.secretsJob.enabled }}
{{- range $user := keys .values.auth.users | sortAlpha }}
  as {{ $user }}:
    kubectl -n {{ $namespace }} get secret {{ include "quorate.connectionSecret" $ }} -o jsonpath='{.data.uri-{{ $user }}}' | base64 -d
{{- end }}
{{- end }}
  kubectl -n {{ $namespace }} rollout status statefulset/{{ $fullname }}
{{- $replicas := include "quorate.replicas" . }}
{{- if eq $replicas "2" }}

WARNING: two members elect nobody when one is lost: reads go on, writes wait for it. Three stand one failure.
{{- end }}
{{- end -}}
