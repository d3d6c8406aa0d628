{{/* MariaDB with Galera. */}}
{{- define "quorate.galera.descriptor" -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-galera")) . -}}
suffix: -galera
engine: galera
container: galera
image:
  {{- toYaml .values.image | nindent 2 }}
command: [/bin/bash, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.galera.script" . | nindent 4 }}
  my.cnf: |
    {{- include "quorate.galera.settings" $context | nindent 4 }}
  databases.sql: |
    {{- include "quorate.galera.databases" . | nindent 4 }}
secretDirectory: /etc/quorate-secrets
secretKeys:
  root-password: root-password
  agent-password: agent-password
  copy-password: copy-password
  {{- range $user := keys .values.auth.users | sortAlpha }}
  {{ $user }}-password: user-{{ $user }}
  {{- end }}
tlsSecret: {{ .values.tls.existingSecret | quote }}
tlsDirectory: /etc/quorate-tls
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
ports:
  mariadb: {{ .values.ports.mariadb }}
  replication: {{ .values.ports.replication }}
  # What a member missed, and whole copies: where Galera has them by itself.
  ist: {{ add .values.ports.replication 1 }}
  sst: 4444
clientPorts: [mariadb]
peerPorts: [replication, ist, sst]
metricsPorts: []
services:
  - suffix: cs
env:
  # Its address for the other members, who may not resolve its name yet.
  - name: POD_IP
    valueFrom:
      fieldRef:
        fieldPath: status.podIP
claims:
  - name: {{ .values.persistence.name }}
    mountPath: /var/lib/mysql
    block: persistence
probes:
  startup: {path: /engine/startupz, port: agent}
  liveness: {path: /engine/livez, port: agent}
  readiness: {path: /engine/readyz, port: agent}
agentSecretKeys:
  agent-password: agent-password
agentEnv:
  DATA_DIRECTORY: /var/lib/mysql
  GALERA_PORT: {{ .values.ports.mariadb | quote }}
  GALERA_REPLICATION_PORT: {{ .values.ports.replication | quote }}
  GALERA_SOCKET: {{ include "quorate.agent.runDirectory" . }}/mariadb.sock
  GALERA_POSITION_FILE: {{ include "quorate.agent.runDirectory" . }}/galera-position
  GALERA_AGENT_PASSWORD_FILE: {{ include "quorate.agent.secretDirectory" . }}/agent-password
  GALERA_DONOR_SERVES: {{ eq .values.copyMethod "mariabackup" | ternary "yes" "no" | quote }}
  {{- if .values.tls.existingSecret }}
  GALERA_TLS_CA_FILE: /etc/quorate-tls/ca.crt
  GALERA_TLS_CERTIFICATE_FILE: /etc/quorate-tls/tls.crt
  GALERA_TLS_KEY_FILE: /etc/quorate-tls/tls.key
  {{- end }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
generatedKeys:
  {{- include "quorate.galera.secretKeys" . | nindent 2 }}
secretTexts:
  {{- range $user := keys .values.auth.users | sortAlpha }}
  uri-{{ $user }}: mariadb://{{ $user }}:{ {{- $user }}-password}@{{ include "quorate.serviceName" (dict "context" $context "service" (dict "suffix" "cs")) }}.{{ include "quorate.serviceDomain" $ }}:{{ $.values.ports.mariadb }}/{{ first $.values.auth.databases }}
  {{- end }}
{{- end -}}

{{/* Of the secret: root's password, the agent's, that for copies among members, and one a user. */}}
{{- define "quorate.galera.secretKeys" -}}
- root-password
- agent-password
- copy-password
{{- range $user := keys .values.auth.users | sortAlpha }}
- {{ $user }}-password
{{- end }}
{{- end -}}

{{/* What a new cluster has beside its users of the chart's own; passwords follow in the script. */}}
{{- define "quorate.galera.databases" -}}
-- With a new cluster alone.
{{- range .values.auth.databases }}
CREATE DATABASE `{{ . }}`;
{{- end }}
{{- range $user := keys .values.auth.users | sortAlpha }}
CREATE USER '{{ $user }}'@'%';
{{- range (index $.values.auth.users $user).grants }}
GRANT {{ . }} TO '{{ $user }}'@'%';
{{- end }}
{{- end }}
{{- end -}}

{{- define "quorate.galera.script" -}}
{{ .root.Files.Get "scripts/galera.sh" }}
{{ include "quorate.permitBegin" (merge (dict "beforePermit" "recover_position") .) }}
# Each word of the permit is an argument of its own.
start_server $permit "$@"
{{ include "quorate.permitEnd" . }}
{{- end -}}

{{/* The settings that follow from other values: `galera.config` may not hold them. */}}
{{- define "quorate.galera.fixedSettings" -}}
datadir: galera.persistence
tmpdir: galera.persistence
socket: the agent
pid-file: the container
port: galera.ports.mariadb
log-error: the container
server-id: the pod's ordinal
binlog-format: the replication
default-storage-engine: the replication
innodb-autoinc-lock-mode: the replication
ssl-ca: galera.tls
ssl-cert: galera.tls
ssl-key: galera.tls
wsrep-on: the replication
wsrep-cluster-name: the component's name
wsrep-cluster-address: the agent
wsrep-node-name: the pod's name
wsrep-node-address: the pod's address
wsrep-new-cluster: the agent
wsrep-start-position: the agent
wsrep-sst-method: galera.copyMethod
wsrep-sst-auth: galera.auth
{{- end -}}

{{/*
A member that was killed with all others is started by an election, and not by what it remembers of the last view
(pc.recovery): with that it would wait for them without end. A join that finds nobody ends after 15 seconds, in the
provider's default after 30.
*/}}
{{- define "quorate.galera.settings" -}}
{{- $values := .values -}}
{{- $ports := $values.ports -}}
{{- $config := deepCopy (default dict $values.config) -}}
{{- $provider := list
  (printf "gmcast.listen_addr=tcp://0.0.0.0:%d" (int $ports.replication))
  (printf "base_port=%d" (int $ports.replication))
  "pc.recovery=false"
  "pc.wait_prim_timeout=PT15S" -}}
{{- if $values.tls.existingSecret -}}
{{- $provider = concat $provider (list
  "socket.ssl_ca=/etc/quorate-tls/ca.crt"
  "socket.ssl_cert=/etc/quorate-tls/tls.crt"
  "socket.ssl_key=/etc/quorate-tls/tls.key") -}}
{{- end -}}
{{- $given := get $config "wsrep-provider-options" -}}
[mariadbd]
datadir = /var/lib/mysql/data
tmpdir = /var/lib/mysql/tmp
socket = {{ include "quorate.agent.runDirectory" . }}/mariadb.sock
pid-file = {{ include "quorate.agent.runDirectory" . }}/mariadb.pid
port = {{ $ports.mariadb }}
binlog-format = ROW
default-storage-engine = InnoDB
innodb-autoinc-lock-mode = 2
{{- if not (hasKey $config "skip-name-resolve") }}
skip-name-resolve = ON
{{- end }}
{{- if not (hasKey $config "wsrep-provider") }}
wsrep-provider = /usr/lib/galera/libgalera_smm.so
{{- end }}
plugin-load-add = wsrep_info
wsrep-on = ON
wsrep-cluster-name = {{ include "quorate.fullname" . }}
wsrep-sst-method = {{ $values.copyMethod }}
wsrep-provider-options = "{{ if $given }}{{ $given }};{{ end }}{{ join ";" $provider }}"
{{- if $values.tls.existingSecret }}
ssl-ca = /etc/quorate-tls/ca.crt
ssl-cert = /etc/quorate-tls/tls.crt
ssl-key = /etc/quorate-tls/tls.key
{{- if not (hasKey $config "require-secure-transport") }}
require-secure-transport = ON
{{- end }}
{{- end }}
{{- range $name, $value := omit $config "wsrep-provider-options" }}
{{ $name }} = {{ $value }}
{{- end }}

[sst]
sst-syslog = -1
{{- if $values.tls.existingSecret }}
{{- /* As 3, but for the receiver's address, which 3 wants in its certificate: pods have no address before they start. */}}
encrypt = 4
tca = /etc/quorate-tls/ca.crt
tcert = /etc/quorate-tls/tls.crt
tkey = /etc/quorate-tls/tls.key
{{- end }}

# The password for copies, which the start script writes.
!include {{ include "quorate.agent.runDirectory" . }}/copy.cnf
{{- end -}}

{{- define "quorate.galera.notes" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "quorate.fullname" . }}

MariaDB {{ .values.image.tag }} with Galera
  members in service   {{ include "quorate.serviceName" (dict "context" . "service" (index .descriptor.services 0)) }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.mariadb }}
  as root, with the password:
    kubectl -n {{ $namespace }} get secret {{ include "quorate.secretName" . }} -o jsonpath='{.data.root-password}' | base64 -d
{{- if .root.Values.secretsJob.enabled }}
{{- range $user := keys .values.auth.users | sortAlpha }}
  as {{ $user }}:
    kubectl -n {{ $namespace }} get secret {{ include "quorate.connectionSecret" $ }} -o jsonpath='{.data.uri-{{ $user }}}' | base64 -d
{{- end }}
{{- end }}
  kubectl -n {{ $namespace }} rollout status statefulset/{{ $fullname }}
{{- $replicas := include "quorate.replicas" . }}
{{- if eq $replicas "2" }}

WARNING: of two members neither goes on when the other is lost without a word. Three stand one failure.
{{- end }}
{{- end -}}
