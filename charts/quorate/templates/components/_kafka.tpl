{{/* Apache Kafka: with its cluster in the tree (mode zookeeper, 3.9) or in itself (mode kraft, 3.9 and 4). */}}
{{- define "quorate.kafka.descriptor" -}}
{{- $secure := ne .values.tls.existingSecret "" -}}
{{- $kraft := eq .values.mode "kraft" -}}
{{- $combined := and $kraft (not .root.Values.kafkaControllers.enabled) -}}
{{- $context := merge (dict "descriptor" (dict "suffix" "-kafka")) . -}}
suffix: -kafka
engine: kafka
container: kafka
image:
  {{- toYaml (merge (dict "tag" (include "quorate.kafka.version" .)) .values.image) | nindent 2 }}
command: [/bin/bash, /etc/quorate/start.sh]
configDirectory: /etc/quorate
configFiles:
  start.sh: |
    {{- include "quorate.kafka.script" $context | nindent 4 }}
  server.properties: |
    {{- include "quorate.kafka.config" $context | trim | nindent 4 }}
  {{- include "quorate.kafka.logFiles" . | nindent 2 }}
tlsSecret: {{ .values.tls.existingSecret | quote }}
tlsDirectory: /etc/quorate-tls
treeTlsSecret: {{ include "quorate.treeTlsSecret" . | trim | quote }}
treeInEngine: {{ not $kraft }}
ports:
  client: {{ .values.ports.client }}
  {{- if .values.external.enabled }}
  external: {{ .values.ports.external }}
  {{- end }}
  {{- if $combined }}
  controller: {{ .values.ports.controller }}
  {{- end }}
  {{- if .values.metrics.exporter.enabled }}
  exporter: {{ .values.metrics.exporter.port }}
  {{- end }}
clientPorts: [client]
peerPorts: [{{ if $combined }}controller{{ end }}]
{{- if and $kraft (not $combined) }}
uses:
  - component: kafkaControllers
    port: {{ .root.Values.kafkaControllers.ports.controller }}
{{- end }}
outsidePorts: [{{ if .values.external.enabled }}external{{ end }}]
metricsPorts: [{{ if .values.metrics.exporter.enabled }}exporter{{ end }}]
{{- if .values.metrics.exporter.enabled }}
# Of the cluster as this broker sees it; the broker's own are in JMX alone.
exporter:
  args:
    - --web.listen-address=:{{ .values.metrics.exporter.port }}
    - --kafka.server=$(POD_NAME).{{ include "quorate.headlessService" $context }}.{{ include "quorate.serviceDomain" $context }}:{{ .values.ports.client }}
    {{- if $secure }}
    - --tls.enabled
    - --tls.ca-file=/etc/quorate-tls/ca.crt
    - --tls.cert-file=/etc/quorate-tls/tls.crt
    - --tls.key-file=/etc/quorate-tls/tls.key
    {{- end }}
{{- end }}
services:
  - suffix: bootstrap
memberServices: {{ .values.external.enabled | ternary (include "quorate.kafka.memberServices" $context) 0 }}
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
{{- if and .values.external.enabled (not .values.external.host) }}
agentFields:
  NODE_ADDRESS: status.hostIP
{{- end }}
agentEnv:
  DATA_DIRECTORY: /var/lib/kafka/data
  KAFKA_PORT: {{ .values.ports.client | quote }}
  KAFKA_FIRST_ID: {{ .values.firstId | quote }}
  KAFKA_LOG_DIRECTORIES: /var/lib/kafka/data/logs
  KAFKA_ADVERTISED_LISTENERS: {{ include "quorate.kafka.advertised" . | quote }}
  KAFKA_VERSION: {{ include "quorate.kafka.version" . | quote }}
  {{- if $kraft }}
  KAFKA_MODE: kraft
  {{- if $combined }}
  KAFKA_CONTROLLERS: {{ .values.controllers | quote }}
  KAFKA_CONTROLLER_PORT: {{ .values.ports.controller | quote }}
  {{- else }}
  KAFKA_ROLE: broker
  KAFKA_CONTROLLERS_CLUSTER: {{ include "quorate.fullname" (include "quorate.kafkaControllers.context" . | fromYaml | merge (dict "root" .root)) }}
  {{- end }}
  {{- else }}
  KAFKA_ROOT: {{ include "quorate.kafka.root" $context }}
  {{- end }}
  {{- include "quorate.kafka.agentTls" . | nindent 2 }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
{{- end -}}

{{/* Where the log goes: to the console. Of the two files one is read by 3.9, the other by 4. */}}
{{- define "quorate.kafka.logFiles" -}}
log4j.properties: |
  log4j.rootLogger={{ .values.logLevel }}, stdout
  log4j.appender.stdout=org.apache.log4j.ConsoleAppender
  log4j.appender.stdout.layout=org.apache.log4j.PatternLayout
  log4j.appender.stdout.layout.ConversionPattern=[%d] %p %m (%c)%n
log4j2.yaml: |
  Configuration:
    Appenders:
      Console:
        name: stdout
        PatternLayout:
          pattern: "[%d] %p %m (%c)%n"
    Loggers:
      Root:
        level: {{ .values.logLevel }}
        AppenderRef:
          - ref: stdout
{{- end -}}

{{- define "quorate.kafka.env" -}}
- name: KAFKA_HEAP_OPTS
  value: {{ .values.heapOptions | quote }}
# Without its default, which writes files of garbage collection beside the volumes.
- name: EXTRA_ARGS
  value: -name kafkaServer
- name: LOG_DIR
  value: /tmp
# One is read by 3.9, the other by 4.
- name: KAFKA_LOG4J_OPTS
  value: -Dlog4j.configuration=file:/etc/quorate/log4j.properties -Dlog4j2.configurationFile=/etc/quorate/log4j2.yaml
{{- end -}}

{{/* The agent's side of the certificates. */}}
{{- define "quorate.kafka.agentTls" -}}
{{- if .values.tls.existingSecret -}}
KAFKA_CA_FILE: /etc/quorate-tls/ca.crt
KAFKA_CERTIFICATE_FILE: /etc/quorate-tls/tls.crt
KAFKA_KEY_FILE: /etc/quorate-tls/tls.key
{{- end -}}
{{- end -}}

{{/* Tag of the image: what runs on the tree is the last line that could. */}}
{{- define "quorate.kafka.version" -}}
{{- default (eq .values.mode "kraft" | ternary "4.2.0" "3.9.2") (toString .values.image.tag) -}}
{{- end -}}

{{/* Path of the brokers' cluster in the tree. */}}
{{- define "quorate.kafka.root" -}}
{{ include "quorate.treeRoot" . }}/{{ include "quorate.fullname" . }}
{{- end -}}

{{/* As many as there may be brokers: one that has no Service cannot be reached from outside. */}}
{{- define "quorate.kafka.memberServices" -}}
{{- $replicas := include "quorate.replicas" . | default "3" | int -}}
{{- max $replicas (int .values.external.services) -}}
{{- end -}}

{{/* What the agent makes a broker's own of, by its pod. */}}
{{- define "quorate.kafka.advertised" -}}
CLIENT://{host}:{{ .values.ports.client }}
{{- with .values.external -}}
{{- if .enabled -}}
,EXTERNAL://{{ default "$(NODE_ADDRESS)" .host }}:{{ eq .type "NodePort" | ternary (printf "{%d+ordinal}" (int .nodePort)) (toString $.values.ports.external) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Where the controllers are: the first brokers, or a set of their own. Of that three are enough to find the others by, and
the text stays the same when there are more.
*/}}
{{- define "quorate.kafka.controllers" -}}
{{- $context := . -}}
{{- $count := int .values.controllers -}}
{{- $port := .values.ports.controller -}}
{{- if .root.Values.kafkaControllers.enabled -}}
{{- $context = include "quorate.kafkaControllers.context" . | fromYaml | merge (dict "root" .root) -}}
{{- $values := .root.Values.kafkaControllers -}}
{{- $count = min 3 (include "quorate.given" $values.replicaCount | default "3" | int) -}}
{{- $port = $values.ports.controller -}}
{{- end -}}
{{- range $ordinal := until (int $count) -}}
{{- if $ordinal }},{{ end }}{{ include "quorate.fullname" $context }}-{{ $ordinal }}.{{ include "quorate.headlessService" $context }}.{{ include "quorate.serviceDomain" $context }}:{{ $port }}
{{- end -}}
{{- end -}}

{{/* The settings that follow from other values: `kafka.config` may not hold them. */}}
{{- define "quorate.kafka.fixedSettings" -}}
broker.id: kafka.firstId
node.id: kafka.firstId
process.roles: kafka.mode
listeners: kafka.ports
advertised.listeners: kafka.external
listener.security.protocol.map: kafka.tls
inter.broker.listener.name: kafka.ports
controller.listener.names: kafka.ports
controller.quorum.bootstrap.servers: kafka.controllers
controller.quorum.voters: kafka.controllers
log.dirs: kafka.persistence
log.dir: kafka.persistence
metadata.log.dir: kafka.persistence
zookeeper.connect: the ensemble
ssl.keystore.location: kafka.tls
ssl.keystore.type: kafka.tls
ssl.truststore.location: kafka.tls
ssl.truststore.type: kafka.tls
{{- end -}}

{{- define "quorate.kafka.config" -}}
{{- $protocol := ne .values.tls.existingSecret "" | ternary "SSL" "PLAINTEXT" -}}
{{- $listeners := list (printf "CLIENT://:%d" (int .values.ports.client)) -}}
{{- $protocols := list (printf "CLIENT:%s" $protocol) -}}
{{- if .values.external.enabled -}}
{{- $listeners = append $listeners (printf "EXTERNAL://:%d" (int .values.ports.external)) -}}
{{- $protocols = append $protocols (printf "EXTERNAL:%s" $protocol) -}}
{{- end -}}
{{- $settings := dict "log.dirs" "/var/lib/kafka/data/logs" "inter.broker.listener.name" "CLIENT" "listeners" (join "," $listeners) -}}
{{- if eq .values.mode "kraft" -}}
{{- $protocols = append $protocols (printf "CONTROLLER:%s" $protocol) -}}
{{- $settings = merge $settings (dict
  "controller.listener.names" "CONTROLLER"
  "controller.quorum.bootstrap.servers" (include "quorate.kafka.controllers" .)) -}}
{{- else -}}
{{- $settings = merge $settings (dict
  "zookeeper.connect" (printf "%s%s" (include "quorate.connectString" . | trim) (include "quorate.kafka.root" .))) -}}
{{- if include "quorate.treeTlsSecret" . | trim -}}
{{- $settings = merge $settings (dict
  "zookeeper.ssl.client.enable" "true"
  "zookeeper.clientCnxnSocket" "org.apache.zookeeper.ClientCnxnSocketNetty"
  "zookeeper.ssl.truststore.location" (printf "%s/ca.crt" (include "quorate.treeTlsDirectory" .))
  "zookeeper.ssl.truststore.type" "PEM"
  "zookeeper.ssl.keystore.location" (printf "%s/tree.pem" (include "quorate.agent.runDirectory" .))
  "zookeeper.ssl.keystore.type" "PEM") -}}
{{- end -}}
{{- end -}}
{{- $_ := set $settings "listener.security.protocol.map" (join "," $protocols) -}}
{{- include "quorate.kafka.properties" (merge (dict "given" (default dict .values.config) "settings" $settings) .) -}}
{{- end -}}

{{/* (context given settings): properties as text; those of the chart go over the others. */}}
{{- define "quorate.kafka.properties" -}}
{{- $settings := .settings -}}
{{- if .values.tls.existingSecret -}}
{{- $settings = merge $settings (dict
  "ssl.keystore.location" (printf "%s/kafka.pem" (include "quorate.agent.runDirectory" .))
  "ssl.keystore.type" "PEM"
  "ssl.truststore.location" "/etc/quorate-tls/ca.crt"
  "ssl.truststore.type" "PEM") -}}
{{- end -}}
{{- range $name, $value := mergeOverwrite (deepCopy .given) $settings }}
{{ $name }}={{ kindIs "string" $value | ternary $value (toJson $value) }}
{{- end }}
{{- end -}}

{{- define "quorate.kafka.script" -}}
{{- $run := include "quorate.agent.runDirectory" . -}}
# A broker that stops asks the leader of the controllers first, or looks for it in the tree, and waits until it is
# killed: when all stop, the last ones wait in vain. The agent says when there has been neither for long.
wait_no_longer() {
  while kill -0 "$engine" 2>/dev/null; do
    if [ -e {{ $run }}/leaderless ]; then kill -KILL "$engine"; fi
    sleep 1
  done
}
{{ include "quorate.permitBegin" . }}
{{ include "quorate.kafka.ownFiles" . }}
{{- if eq .values.mode "zookeeper" }}
{{- if include "quorate.treeTlsSecret" . | trim }}
cat {{ include "quorate.treeTlsDirectory" . }}/tls.key {{ include "quorate.treeTlsDirectory" . }}/tls.crt > {{ $run }}/tree.pem
{{- end }}
# The words of the permit are properties of this broker alone.
exec /opt/kafka/bin/kafka-server-start.sh /etc/quorate/server.properties $permit "$@"
{{- else }}
properties={{ $run }}/server.properties
cat /etc/quorate/server.properties > "$properties"
{{- if .root.Values.kafkaControllers.enabled }}
echo process.roles=broker >> "$properties"
{{- else }}
if [ "${POD_NAME##*-}" -lt {{ .values.controllers }} ]; then
  cat >> "$properties" <<PROPERTIES
process.roles=broker,controller
listeners={{ include "quorate.kafka.brokerListeners" . }},CONTROLLER://$POD_NAME.{{ include "quorate.headlessService" . }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.controller }}
PROPERTIES
else
  echo process.roles=broker >> "$properties"
fi
{{- end }}
{{ include "quorate.kafka.run" . }}
{{- end }}
{{ include "quorate.permitEnd" (merge (dict "whileStopping" "wait_no_longer") .) }}
{{- end -}}

{{/* What nobody else may read. */}}
{{- define "quorate.kafka.ownFiles" -}}
umask 077
{{- if .values.tls.existingSecret }}
cat /etc/quorate-tls/tls.key /etc/quorate-tls/tls.crt > {{ include "quorate.agent.runDirectory" . }}/kafka.pem
{{- end }}
{{- end -}}

{{/* With KRaft, behind the properties that all nodes have: the permit, and what it says. */}}
{{- define "quorate.kafka.run" -}}
# The permit: --format ID MODE where the disk is to become one of the cluster ID, then the properties of this
# node alone, which formatting has to know too.
format=
given=("$@")
set -- $permit
if [ "${1-}" = --format ]; then
  format="--cluster-id $2 $3"
  shift 3
fi
for word in "$@"; do
  case $word in *=*) echo "$word" >> "$properties" ;; esac
done
if [ -n "$format" ]; then
  /opt/kafka/bin/kafka-run-class.sh kafka.tools.StorageTool format --config "$properties" $format
fi
exec /opt/kafka/bin/kafka-server-start.sh "$properties" ${given[@]+"${given[@]}"}
{{- end -}}

{{- define "quorate.kafka.brokerListeners" -}}
CLIENT://:{{ .values.ports.client }}{{ if .values.external.enabled }},EXTERNAL://:{{ .values.ports.external }}{{ end }}
{{- end -}}

{{- define "quorate.kafka.notes" -}}
{{- $namespace := .root.Release.Namespace -}}
{{- $fullname := include "quorate.fullname" . }}

Kafka {{ include "quorate.kafka.version" . }}{{ if eq .values.mode "kraft" }}{{ else }}, whose cluster lives in the tree at {{ include "quorate.kafka.root" . }}{{ end }}
  bootstrap.servers   {{ include "quorate.serviceName" (dict "context" . "service" (index .descriptor.services 0)) }}.{{ include "quorate.serviceDomain" . }}:{{ .values.ports.client }}
{{- if .values.external.enabled }}
  from outside        {{ default "address of any node" .values.external.host }}:{{ eq .values.external.type "NodePort" | ternary .values.external.nodePort .values.ports.external }}
{{- end }}
  kubectl -n {{ $namespace }} rollout status statefulset/{{ $fullname }}
Scale up by the number alone. A broker that is scaled away while it has partitions is held; move them first, with
`quorate kafka drain ID --bootstrap HOST:PORT`, which the image of the server has.
{{- end -}}
