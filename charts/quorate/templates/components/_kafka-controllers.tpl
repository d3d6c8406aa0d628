{{/* Controllers of Apache Kafka with KRaft in a set of their own, for the brokers of `kafka`. */}}
{{- define "quorate.kafkaControllers.descriptor" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $image := mergeOverwrite (deepCopy $kafka.image) (deepCopy (default dict .values.image)) -}}
{{- $version := include "quorate.kafkaControllers.version" . -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-kafka-controllers")) . -}}
suffix: -kafka-controllers
engine: kafka
container: kafka-controllers
image:
  {{- toYaml (mergeOverwrite $image (dict "tag" $version)) | nindent 2 }}
command: [/bin/bash, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.kafkaControllers.script" $context | nindent 4 }}
  server.properties: |
    {{- include "quorate.kafkaControllers.config" $context | trim | nindent 4 }}
  {{- include "quorate.kafka.logFiles" . | nindent 2 }}
tlsSecret: {{ .values.tls.existingSecret | quote }}
tlsDirectory: /etc/quorate-tls
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
ports:
  controller: {{ .values.ports.controller }}
clientPorts: [controller]
clientComponents: [kafka]
peerPorts: []
metricsPorts: []
services: []
env:
  {{- include "quorate.kafka.env" . | nindent 2 }}
claims:
  - name: {{ .values.persistence.name }}
    mountPath: /var/lib/kafka/data
    block: persistence
probes:
  startup: {path: /engine/startupz, port: agent}
  liveness: {path: /engine/livez, port: agent}
  readiness: {path: /engine/readyz, port: agent}
agentEnv:
  DATA_DIRECTORY: /var/lib/kafka/data
  KAFKA_MODE: kraft
  KAFKA_ROLE: controller
  KAFKA_FIRST_ID: {{ .values.firstId | quote }}
  KAFKA_CONTROLLER_PORT: {{ .values.ports.controller | quote }}
  KAFKA_LOG_DIRECTORIES: /var/lib/kafka/data/logs
  KAFKA_VERSION: {{ $version | quote }}
  {{- include "quorate.kafka.agentTls" . | nindent 2 }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
{{- end -}}

{{/* What the names of the controllers' objects follow from, as YAML; the root is to be added. */}}
{{- define "quorate.kafkaControllers.context" -}}
name: kafkaControllers
descriptor: {suffix: -kafka-controllers}
{{- end -}}

{{/* Tag of the image: the brokers', unless they have one of their own. */}}
{{- define "quorate.kafkaControllers.version" -}}
{{- default (include "quorate.kafka.version" (dict "values" .root.Values.kafka)) (toString (default "" .values.image.tag)) -}}
{{- end -}}

{{/* The settings that follow from other values: `kafkaControllers.config` may not hold them. */}}
{{- define "quorate.kafkaControllers.fixedSettings" -}}
broker.id: kafkaControllers.firstId
node.id: kafkaControllers.firstId
process.roles: kafka.mode
listeners: kafkaControllers.ports
advertised.listeners: kafkaControllers.ports
listener.security.protocol.map: kafkaControllers.tls
inter.broker.listener.name: kafka.ports
controller.listener.names: kafkaControllers.ports
controller.quorum.bootstrap.servers: kafkaControllers.replicaCount
controller.quorum.voters: kafkaControllers.replicaCount
log.dirs: kafkaControllers.persistence
log.dir: kafkaControllers.persistence
metadata.log.dir: kafkaControllers.persistence
zookeeper.connect: kafka.mode
ssl.keystore.location: kafkaControllers.tls
ssl.keystore.type: kafkaControllers.tls
ssl.truststore.location: kafkaControllers.tls
ssl.truststore.type: kafkaControllers.tls
{{- end -}}

{{/* What brokers are told of topics counts where topics are made, so the controllers have it too. */}}
{{- define "quorate.kafkaControllers.config" -}}
{{- $protocol := ne .values.tls.existingSecret "" | ternary "SSL" "PLAINTEXT" -}}
{{- $settings := dict
  "process.roles" "controller"
  "listeners" (printf "CONTROLLER://:%d" (int .values.ports.controller))
  "listener.security.protocol.map" (printf "CONTROLLER:%s" $protocol)
  "controller.listener.names" "CONTROLLER"
  "controller.quorum.bootstrap.servers" (include "quorate.kafka.controllers" (dict "root" .root "name" "kafka" "values" .root.Values.kafka))
  "log.dirs" "/var/lib/kafka/data/logs" -}}
{{- $given := mergeOverwrite (deepCopy (default dict .root.Values.kafka.config)) (deepCopy (default dict .values.config)) -}}
{{- include "quorate.kafka.properties" (merge (dict "given" $given "settings" $settings) .) -}}
{{- end -}}

{{- define "quorate.kafkaControllers.script" -}}
{{ include "quorate.permitBegin" . }}
{{ include "quorate.kafka.ownFiles" . }}
properties={{ include "quorate.agent.runDirectory" . }}/server.properties
cat /etc/quorate/server.properties > "$properties"
{{ include "quorate.kafka.run" . }}
{{ include "quorate.permitEnd" . }}
{{- end -}}

{{- define "quorate.kafkaControllers.notes" -}}
{{- $fullname := include "quorate.fullname" . }}

Controllers of Kafka {{ include "quorate.kafkaControllers.version" . }}, in a set of their own
  kubectl -n {{ .root.Release.Namespace }} rollout status statefulset/{{ $fullname }}
Scale by the number alone: votes are given and taken away one by one.
{{- end -}}
