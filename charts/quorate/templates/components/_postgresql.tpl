{{/* PostgreSQL under Patroni, by the Spilo image, with the tree as Patroni's store. */}}
{{- define "quorate.postgresql.descriptor" -}}
{{- $keys := .values.auth.existingSecretKeys -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-postgresql")) . -}}
suffix: -postgresql
engine: postgresql
container: postgresql
image:
  {{- toYaml .values.image | nindent 2 }}
command: [/bin/bash, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.postgresql.script" . | nindent 4 }}
  spilo.yaml: |
    {{- include "quorate.postgresql.config" $context | nindent 4 }}
secretDirectory: /etc/quorate-secrets
secretKeys:
  {{ $keys.superuserPassword }}: superuser-password
  {{ $keys.replicationPassword }}: replication-password
  {{ $keys.patroniPassword }}: patroni-password
tlsSecret: {{ .values.tls.existingSecret | quote }}
tlsDirectory: /etc/quorate-tls
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
treeInEngine: true
sharedMemory: {{ .values.sharedMemory | quote }}
ports:
  postgresql: {{ .values.ports.postgresql }}
  patroni: {{ .values.ports.patroni }}
  {{- if .values.metrics.exporter.enabled }}
  exporter: {{ .values.metrics.exporter.port }}
  {{- end }}
clientPorts: [postgresql]
peerPorts: [patroni]
metricsPorts: [patroni{{ if .values.metrics.exporter.enabled }}, exporter{{ end }}]
{{- if .values.metrics.exporter.enabled }}
exporter:
  args:
    - --web.listen-address=:{{ .values.metrics.exporter.port }}
  env:
    - name: DATA_SOURCE_USER
      value: postgres
    - name: DATA_SOURCE_PASS
      {{- include "quorate.secretValue" (dict "context" $context "key" $keys.superuserPassword) | nindent 6 }}
    # Within the pod, where the image lets in who has a password and no TLS.
    - name: DATA_SOURCE_URI
      value: 127.0.0.1:{{ .values.ports.postgresql }}/postgres?sslmode=disable
{{- end }}
services:
  - suffix: rw
    role: primary
  - suffix: ro
    role: replica
env:
  - name: SCOPE
    value: {{ include "quorate.fullname" $context }}
  - name: ZOOKEEPER_HOSTS
    value: {{ include "quorate.postgresql.hosts" . | quote }}
  - name: PGPORT
    value: {{ .values.ports.postgresql | quote }}
  - name: APIPORT
    value: {{ .values.ports.patroni | quote }}
  - name: PGROOT
    value: /home/postgres/pgdata/pgroot
  # Spilo would ask a cloud's metadata service where it is.
  - name: SPILO_PROVIDER
    value: local
  {{- if .values.tls.existingSecret }}
  - name: SSL_CA_FILE
    value: /etc/quorate-tls/ca.crt
  - name: SSL_CERTIFICATE_FILE
    value: /etc/quorate-tls/tls.crt
  - name: SSL_PRIVATE_KEY_FILE
    value: /etc/quorate-tls/tls.key
  {{- end }}
claims:
  - name: {{ .values.persistence.name }}
    mountPath: /home/postgres/pgdata
    block: persistence
probes:
  startup: {path: /engine/startupz, port: agent}
  liveness: {path: /engine/livez, port: agent}
  readiness: {path: /engine/readyz, port: agent}
agentSecretKeys:
  {{ $keys.superuserPassword }}: superuser-password
  {{ $keys.patroniPassword }}: patroni-password
agentEnv:
  DATA_DIRECTORY: /home/postgres/pgdata
  POSTGRESQL_PORT: {{ .values.ports.postgresql | quote }}
  POSTGRESQL_PASSWORD_FILE: {{ include "quorate.agent.secretDirectory" . }}/superuser-password
  PATRONI_PORT: {{ .values.ports.patroni | quote }}
  PATRONI_USER: quorate
  PATRONI_PASSWORD_FILE: {{ include "quorate.agent.secretDirectory" . }}/patroni-password
  PATRONI_NAMESPACE: {{ include "quorate.treeRoot" . }}/service
  PATRONI_SCOPE: {{ include "quorate.fullname" $context }}
  PATRONI_REPLICATION: {{ .values.replication }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
generatedKeys: [{{ $keys.superuserPassword | quote }}, {{ $keys.replicationPassword | quote }}, {{ $keys.patroniPassword | quote }}]
roleLabel: true
{{- end -}}

{{/* As Spilo takes them: each in quotes. */}}
{{- define "quorate.postgresql.hosts" -}}
{{- range $index, $host := splitList "," (include "quorate.connectString" . | trim) -}}
{{- if $index }},{{ end }}'{{ $host }}'
{{- end -}}
{{- end -}}

{{/* The settings that follow from other values: `postgresql.config` may not hold them. */}}
{{- define "quorate.postgresql.fixedSettings" -}}
scope: the component's name
namespace: externalServer.chroot
name: the pod's name
zookeeper: the ensemble
etcd: the ensemble
etcd3: the ensemble
consul: the ensemble
exhibitor: the ensemble
kubernetes: the ensemble
raft: the ensemble
restapi.authentication: postgresql.auth
postgresql.authentication.superuser.password: postgresql.auth
postgresql.authentication.replication.password: postgresql.auth
bootstrap.dcs.synchronous_mode: postgresql.replication
bootstrap.dcs.synchronous_mode_strict: postgresql.replication
{{- end -}}

{{/*
What Patroni is told over what the image tells it. It goes on without the tree (failsafe_mode), and a
standby leads 20 seconds after the primary was lost.
*/}}
{{- define "quorate.postgresql.config" -}}
{{- $dcs := dict
  "ttl" 20
  "loop_wait" 5
  "retry_timeout" 5
  "failsafe_mode" true -}}
{{- $config := mergeOverwrite (dict "bootstrap" (dict "dcs" $dcs)) (deepCopy (default dict .values.config)) -}}
{{- $replication := dict
  "synchronous_mode" (ne .values.replication "asynchronous")
  "synchronous_mode_strict" (eq .values.replication "strict") -}}
{{- $settings := dict
  "namespace" (printf "%s/service/" (include "quorate.treeRoot" .))
  "bootstrap" (dict "dcs" $replication)
  "postgresql" (dict "authentication" (dict
    "superuser" (dict "password" "SUPERUSER_PASSWORD")
    "replication" (dict "password" "REPLICATION_PASSWORD")))
  "restapi" (dict "authentication" (dict "username" "quorate" "password" "PATRONI_PASSWORD")) -}}
{{- if include "quorate.treeTlsSecret" . | trim -}}
{{- $directory := include "quorate.treeTlsDirectory" . -}}
{{- $settings = merge $settings (dict "zookeeper" (dict
  "use_ssl" true
  "verify" true
  "cacert" (printf "%s/ca.crt" $directory)
  "cert" (printf "%s/tls.crt" $directory)
  "key" (printf "%s/tls.key" $directory))) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config $settings) -}}
{{- end -}}

{{- define "quorate.postgresql.script" -}}
{{ include "quorate.permitBegin" . }}
# What the image takes from its environment it writes as HTML, & as &amp;: what Patroni reads stands in its configuration.
PGPASSWORD_SUPERUSER=$(cat /etc/quorate-secrets/superuser-password)
PGPASSWORD_STANDBY=$(cat /etc/quorate-secrets/replication-password)
password=$(cat /etc/quorate-secrets/patroni-password)
SPILO_CONFIGURATION=$(cat /etc/quorate/spilo.yaml)
# From the last to the first: no password is looked into.
SPILO_CONFIGURATION=${SPILO_CONFIGURATION/PATRONI_PASSWORD/"'${password//"'"/"''"}'"}
SPILO_CONFIGURATION=${SPILO_CONFIGURATION/SUPERUSER_PASSWORD/"'${PGPASSWORD_SUPERUSER//"'"/"''"}'"}
SPILO_CONFIGURATION=${SPILO_CONFIGURATION/REPLICATION_PASSWORD/"'${PGPASSWORD_STANDBY//"'"/"''"}'"}
export PGPASSWORD_SUPERUSER PGPASSWORD_STANDBY SPILO_CONFIGURATION
# The image would label the pod by itself, with a token that it has not: the agent does that.
unset KUBERNETES_SERVICE_HOST
exec /bin/sh /launch.sh init "$@"
{{ include "quorate.permitEnd" . }}
{{- end -}}

{{- define "quorate.postgresql.notes" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "quorate.fullname" . }}

PostgreSQL under Patroni
  primary    {{ include "quorate.serviceName" (dict "context" . "service" (index .descriptor.services 0)) }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.postgresql }}
  standbys   {{ include "quorate.serviceName" (dict "context" . "service" (index .descriptor.services 1)) }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.postgresql }}
  as postgres, over TLS (sslmode=require), with the password:
    kubectl -n {{ $namespace }} get secret {{ include "quorate.secretName" . }} -o jsonpath='{.data.{{ .values.auth.existingSecretKeys.superuserPassword | replace "." "\\." }}}' | base64 -d
  kubectl -n {{ $namespace }} rollout status statefulset/{{ $fullname }}
{{- if eq .values.replication "asynchronous" }}

WARNING: postgresql.replication is asynchronous: the last commits are lost with their primary.
{{- end }}
{{- end -}}
