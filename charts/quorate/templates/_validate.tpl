{{/*
What the schema cannot say: rules between values. Every message names the value and the way out, and
all that is wrong is said at once.
*/}}
{{- define "quorate.validate" -}}
{{- $faults := list -}}
{{- $server := .Values.server -}}
{{- $external := .Values.externalServer -}}
{{- if and (not $server.enabled) (not $external.hosts) -}}
{{- $faults = append $faults "server.enabled is false and externalServer.hosts is empty: name the ensemble to use, as host:port" -}}
{{- end -}}
{{- if and $server.enabled $external.hosts -}}
{{- $faults = append $faults "externalServer.hosts is for server.enabled=false: this release would have two ensembles" -}}
{{- end -}}
{{- if and $server.enabled $external.chroot -}}
{{- $faults = append $faults "externalServer.chroot is for server.enabled=false" -}}
{{- end -}}
{{- if and $server.enabled $external.tls.existingSecret -}}
{{- $faults = append $faults "externalServer.tls is for server.enabled=false: server.tls has the certificates of this ensemble" -}}
{{- end -}}
{{- range $key := list "name" "instance" "component" -}}
{{- if hasKey (default dict $.Values.commonLabels) (printf "app.kubernetes.io/%s" $key) -}}
{{- $faults = append $faults (printf "commonLabels: app.kubernetes.io/%s is a label of selectors; nameOverride, the release's name and the component decide these" $key) -}}
{{- end -}}
{{- end -}}
{{- range $name := include "quorate.componentNames" . | fromYamlArray -}}
{{- $component := dict -}}
{{- include "quorate.setComponent" (dict "root" $ "name" $name "into" $component) -}}
{{- if $component.values.enabled -}}
{{- $found := printf "%s\n%s" (include "quorate.validateComponent" $component) (include (printf "quorate.%s.validate" $component.kind) $component) -}}
{{- range $fault := splitList "\n" $found -}}
{{- if $fault }}{{ $faults = append $faults $fault }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\nvalues of %s:\n  - %s\n" .Chart.Name (join "\n  - " $faults)) -}}
{{- end -}}
{{- end -}}

{{/* What holds for every component. One fault a line. */}}
{{- define "quorate.validateComponent" -}}
{{- $name := .path -}}
{{- $values := .values -}}
{{- if not (kindIs "invalid" $values.replicaCount) -}}
{{- if lt (int $values.replicaCount) 1 }}
{{ $name }}.replicaCount is {{ $values.replicaCount }}: an ensemble has at least 1; to pause it use `kubectl scale --replicas=0` with {{ $name }}.replicaCount=null
{{- end -}}
{{- end -}}
{{- $ports := dict -}}
{{- $used := dict "agent.port" .root.Values.agent.port -}}
{{- range $port, $number := $values.ports -}}
{{- if not (and (eq $port "secureClient") (not $values.tls.existingSecret)) -}}
{{- $_ := set $used (printf "%s.ports.%s" $name $port) $number -}}
{{- end -}}
{{- end -}}
{{- range $port, $number := $used -}}
{{- $other := get $ports (toString $number) -}}
{{- if $other }}
{{ $other }} and {{ $port }} are both {{ $number }}: the containers of a pod share its ports
{{- end -}}
{{- $_ := set $ports (toString $number) $port -}}
{{- end -}}
{{- $log := (default dict $values.persistence.log).name -}}
{{- range $volume := list "config" "secrets" "agent-secrets" "tls" "tree-tls" "kube-api-access" "run" "tmp" "shared-memory" -}}
{{- if or (eq $volume $values.persistence.name) (eq $volume (default "" $log)) }}
{{ $volume }} is a volume of the chart's own: choose another {{ $name }}.persistence.name
{{- end -}}
{{- end -}}
{{- $fixed := include (printf "quorate.%s.fixedSettings" .kind) (dict "values" $values) | fromYaml -}}
{{- range $setting := keys $fixed | sortAlpha -}}
{{- $place := default dict $values.config -}}
{{- $steps := list $setting -}}
{{- if and (contains "." $setting) (not (hasPrefix "kafka" $name)) }}{{ $steps = splitList "." $setting }}{{ end -}}
{{- range $step := initial $steps -}}
{{- if kindIs "map" $place }}{{ $place = get $place $step }}{{ end -}}
{{- end -}}
{{- if kindIs "map" $place -}}
{{- if hasKey $place (last $steps) }}
{{ $name }}.config.{{ $setting }} follows from {{ get $fixed $setting }} and cannot be set beside it
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $values.service -}}
{{- $service := . -}}
{{- range $key := list "nodePorts" "externalTrafficPolicy" -}}
{{- if and (index $service $key) (eq $service.type "ClusterIP") }}
{{ $name }}.service.{{ $key }} needs {{ $name }}.service.type NodePort or LoadBalancer
{{- end -}}
{{- end -}}
{{- range $key := list "loadBalancerClass" "loadBalancerSourceRanges" -}}
{{- if and (index $service $key) (ne $service.type "LoadBalancer") }}
{{ $name }}.service.{{ $key }} needs {{ $name }}.service.type LoadBalancer
{{- end -}}
{{- end -}}
{{- end -}}
{{- $budget := $values.podDisruptionBudget -}}
{{- $most := include "quorate.given" $budget.maxUnavailable -}}
{{- if and $budget.enabled (include "quorate.given" $budget.minAvailable) $most (ne $most "1") }}
{{ $name }}.podDisruptionBudget: minAvailable goes over maxUnavailable; leave maxUnavailable at 1
{{- end -}}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) $values.rbac.create }}
{{ $name }}.serviceAccount.create is false: name the account, or every pod of the namespace gets the agent's rights
{{- end -}}
{{- range $key := list "serviceMonitor" "prometheusRule" "dashboards" -}}
{{- if and (default dict (get $values.metrics $key)).enabled (not $values.metrics.enabled) }}
{{ $name }}.metrics.{{ $key }}.enabled needs {{ $name }}.metrics.enabled
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Beside that, of the server. */}}
{{- define "quorate.server.validate" -}}
{{- $server := .values -}}
{{- $agent := .root.Values.agent -}}
{{- if and $server.persistence.log.enabled (not $server.persistence.enabled) }}
server.persistence.log.enabled needs server.persistence.enabled
{{- end -}}
{{- if and $server.persistence.log.enabled (eq $server.persistence.log.name $server.persistence.name) }}
server.persistence.name and server.persistence.log.name are both {{ $server.persistence.name }}: they are two volumes
{{- end -}}
{{- $minMs := get (default dict $server.config) "sessionTimeoutMsMin" -}}
{{- $maxMs := get (default dict $server.config) "sessionTimeoutMsMax" -}}
{{- if and $minMs (lt (int $agent.sessionTimeoutMs) (int $minMs)) }}
agent.sessionTimeoutMs is {{ $agent.sessionTimeoutMs }}, below server.config.sessionTimeoutMsMin of {{ $minMs }}
{{- end -}}
{{- if and $maxMs (gt (int $agent.sessionTimeoutMs) (int $maxMs)) }}
agent.sessionTimeoutMs is {{ $agent.sessionTimeoutMs }}, above server.config.sessionTimeoutMsMax of {{ $maxMs }}
{{- end -}}
{{- $auth := $server.auth -}}
{{- if ne (empty $auth.joinKey) (empty $auth.httpToken) }}
server.auth.joinKey and server.auth.httpToken go together
{{- end -}}
{{- if and $auth.existingSecret $auth.joinKey }}
server.auth.existingSecret and server.auth.joinKey are two sources of one secret
{{- end -}}
{{- if and (not .root.Values.secretsJob.enabled) (not $auth.existingSecret) (not $auth.joinKey) }}
secretsJob.enabled is false: server.auth.existingSecret must name a secret with {{ $auth.existingSecretKeys.joinKey }} and {{ $auth.existingSecretKeys.httpToken }}
{{- end -}}
{{- if eq $auth.existingSecretKeys.joinKey $auth.existingSecretKeys.httpToken }}
server.auth.existingSecretKeys: joinKey and httpToken must be two keys
{{- end -}}
{{- if and (not $server.tls.existingSecret) (not $server.tls.plainClients) }}
server.tls.plainClients is false: server.tls.existingSecret must name the certificates
{{- end -}}
{{- if and (not $server.tls.existingSecret) (ne $server.tls.peers "none") }}
server.tls.peers is {{ $server.tls.peers }}: server.tls.existingSecret must name the certificates
{{- end -}}
{{- end -}}

{{- define "quorate.kafka.validate" -}}
{{- $kafka := .values -}}
{{- $tag := toString $kafka.image.tag -}}
{{- if and (eq $kafka.mode "zookeeper") (regexMatch "^[4-9]\\." $tag) }}
kafka.image.tag is {{ $tag }}: from 4 on Kafka has no mode zookeeper; take kafka.mode=kraft for a new cluster, a tag of 3.9 for this one
{{- end -}}
{{- if and (eq $kafka.mode "kraft") (regexMatch "^([0-2]\\.|3\\.[0-8]([.-]|$))" $tag) }}
kafka.image.tag is {{ $tag }}: kafka.mode=kraft needs 3.9 or newer, whose controllers can change
{{- end -}}
{{- $replicas := include "quorate.given" $kafka.replicaCount -}}
{{- if eq $kafka.mode "kraft" -}}
{{- include "quorate.kafka.validateControllers" . -}}
{{- end -}}
{{- if and $replicas (gt (int $replicas) 0) -}}
{{- if and (eq $kafka.mode "kraft") (not .root.Values.kafkaControllers.enabled) (gt (int $kafka.controllers) (int $replicas)) }}
kafka.controllers is {{ $kafka.controllers }} and kafka.replicaCount is {{ $replicas }}: controllers are the first of the brokers
{{- end -}}
{{- range $key := list "default.replication.factor" "min.insync.replicas" "offsets.topic.replication.factor" "transaction.state.log.replication.factor" "transaction.state.log.min.isr" -}}
{{- $copies := get (default dict $kafka.config) $key -}}
{{- if and $copies (gt (int $copies) (int $replicas)) }}
kafka.config: {{ $key }} is {{ $copies }} and kafka.replicaCount is {{ $replicas }}: every copy needs a broker of its own
{{- end -}}
{{- end -}}
{{- end -}}
{{- $external := $kafka.external -}}
{{- if $external.enabled -}}
{{- if and (eq $external.type "LoadBalancer") (not $external.host) }}
kafka.external.host is empty: with LoadBalancer name what clients are told, as kafka-{ordinal}.example.com
{{- end -}}
{{- if and (eq $external.type "LoadBalancer") $external.host (not (regexMatch "\\{(ordinal|pod)\\}" $external.host)) }}
kafka.external.host is {{ $external.host }}: with LoadBalancer every broker has an address of its own, told apart by {ordinal} or {pod}
{{- end -}}
{{- if and (ne $external.type "LoadBalancer") (or $external.loadBalancerClass $external.loadBalancerSourceRanges) }}
kafka.external: loadBalancerClass and loadBalancerSourceRanges need kafka.external.type LoadBalancer
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A voter that starts without the role of a controller ends at once (4.2): UpdateVoter has no endpoints then. */}}
{{- define "quorate.kafka.validateControllers" -}}
{{- $name := include "quorate.fullname" (dict "root" .root "descriptor" (dict "suffix" "-kafka")) -}}
{{- $live := lookup "apps/v1" "StatefulSet" .root.Release.Namespace $name -}}
{{- range $container := dig "spec" "template" "spec" "initContainers" (list) $live -}}
{{- range $variable := default (list) $container.env -}}
{{- if eq $variable.name "QUORATE_AGENT_KAFKA_CONTROLLERS" -}}
{{- $controllers := int $.values.controllers -}}
{{- $replicas := int (default $live.spec.replicas (include "quorate.given" $.values.replicaCount)) -}}
{{- if lt $controllers (min (int $variable.value) $replicas) }}
kafka.controllers is {{ $controllers }} and was {{ $variable.value }}: a broker that was a controller cannot start as none; lower it together with kafka.replicaCount
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "quorate.kafkaControllers.validate" -}}
{{- $controllers := .values -}}
{{- $kafka := .root.Values.kafka -}}
{{- if not (and $kafka.enabled (eq $kafka.mode "kraft")) }}
kafkaControllers.enabled needs kafka.enabled and kafka.mode=kraft: they are the controllers of its brokers
{{- end -}}
{{- $tag := toString (default "" $controllers.image.tag) -}}
{{- if regexMatch "^([0-2]\\.|3\\.[0-8]([.-]|$))" $tag }}
kafkaControllers.image.tag is {{ $tag }}: controllers that can change need 3.9 or newer
{{- end -}}
{{- $lower := $kafka -}}
{{- $ids := sub (int $controllers.firstId) (int $kafka.firstId) -}}
{{- if lt $ids 0 }}{{ $lower = $controllers }}{{ $ids = sub 0 $ids }}{{ end -}}
{{- if lt (int $ids) (max 100 (include "quorate.given" $lower.replicaCount | default "0" | int)) }}
kafkaControllers.firstId is {{ $controllers.firstId }} and kafka.firstId is {{ $kafka.firstId }}: leave 100 ids between them, and more than there are nodes; no two may have one id
{{- end -}}
{{- if ne (empty $controllers.tls.existingSecret) (empty $kafka.tls.existingSecret) }}
kafkaControllers.tls.existingSecret and kafka.tls.existingSecret go together: brokers and controllers speak to each other
{{- end -}}
{{- end -}}

{{- define "quorate.mongodb.validate" -}}
{{- range $user := list "agent" "quorate-agent" "quorate-metrics" -}}
{{- if hasKey $.values.auth.users $user }}
mongodb.auth.users.{{ $user }}: the chart has that name for itself, choose another
{{- end -}}
{{- end -}}
{{- if and (not .root.Values.secretsJob.enabled) (not .values.auth.existingSecret) }}
secretsJob.enabled is false: mongodb.auth.existingSecret must name a secret with {{ include "quorate.mongodb.secretKeys" . | fromYamlArray | join ", " }}
{{- end -}}
{{- end -}}

{{- define "quorate.postgresql.validate" -}}
{{- $auth := .values.auth -}}
{{- $keys := $auth.existingSecretKeys -}}
{{- $names := list $keys.superuserPassword $keys.replicationPassword $keys.patroniPassword -}}
{{- if and (not .root.Values.secretsJob.enabled) (not $auth.existingSecret) }}
secretsJob.enabled is false: postgresql.auth.existingSecret must name a secret with {{ join ", " $names }}
{{- end -}}
{{- if lt (len (uniq $names)) (len $names) }}
postgresql.auth.existingSecretKeys: superuserPassword, replicationPassword and patroniPassword must be three keys
{{- end -}}
{{- if and (eq .values.replication "strict") (eq (include "quorate.given" .values.replicaCount) "1") }}
postgresql.replication is strict and postgresql.replicaCount is 1: nothing could ever be written
{{- end -}}
{{- end -}}

{{- define "quorate.generic.validate" -}}
{{- $values := .values -}}
{{- $path := .path -}}
{{- $generic := .root.Values.generic -}}
{{- $suffix := .name | kebabcase -}}
{{- range $other := keys $generic -}}
{{- if and (ne $other $.name) (eq ($other | kebabcase) $suffix) }}
generic.{{ $other }} and {{ $path }} are both {{ $suffix }} in names and labels
{{- end -}}
{{- end -}}
{{- if not $values.engineCommand }}
{{ $path }}.command is empty: name what the image runs, since it has to wait for its permit first
{{- end -}}
{{- range $key := list "repository" "tag" -}}
{{- if not (index $values.image $key) }}
{{ $path }}.image.{{ $key }} is empty
{{- end -}}
{{- end -}}
{{- $clients := include "quorate.generic.clientPorts" . | fromYamlArray -}}
{{- range $list := list "peerPorts" "metricsPorts" -}}
{{- range $port := index $values $list -}}
{{- if not (hasKey $values.ports $port) }}
{{ $path }}.{{ $list }}: {{ $port }} is none of {{ $path }}.ports
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.port (not (has $values.port $clients)) }}
{{ $path }}.port: {{ $values.port }} is none of the ports of clients, {{ join ", " $clients }}
{{- end -}}
{{- if and (not $values.port) (gt (len $clients) 1) }}
{{ $path }}.port is empty: which of {{ join ", " $clients }} do members announce?
{{- end -}}
{{- range $used := $values.uses -}}
{{- $builtIn := list "kafka" "kafkaControllers" "mongodb" "postgresql" "galera" "allegrograph" "allegrographCopies" -}}
{{- if hasKey $generic $used -}}
{{- else if not (and (has $used $builtIn) (index $.root.Values $used).enabled) }}
{{ $path }}.uses: {{ $used }} is no component of this release
{{- end -}}
{{- end -}}
{{- $auth := $values.auth -}}
{{- if and $auth.sameAs (not (hasKey $generic $auth.sameAs)) }}
{{ $path }}.auth.sameAs: {{ $auth.sameAs }} is none of generic
{{- end -}}
{{- if and $auth.keys (not $auth.sameAs) (not $auth.existingSecret) (not .root.Values.secretsJob.enabled) }}
secretsJob.enabled is false: {{ $path }}.auth.existingSecret must name a secret with {{ join ", " $auth.keys }}
{{- end -}}
{{- $hooks := default dict $values.hooks -}}
{{- if ne (eq $values.bootstrap "hook") (hasKey $hooks "bootstrap") }}
{{ $path }}.hooks.bootstrap goes with {{ $path }}.bootstrap=hook
{{- end -}}
{{- if and (hasKey (default dict $values.start) "found") (ne $values.bootstrap "start") }}
{{ $path }}.start.found needs {{ $path }}.bootstrap=start
{{- end -}}
{{- if and (eq $values.order "oneAtATime") (ne $values.bootstrap "start") }}
{{ $path }}.order is oneAtATime: that needs {{ $path }}.bootstrap=start
{{- end -}}
{{- $roles := default dict (default dict $values.role).roles -}}
{{- $leader := (default dict $values.role).leader -}}
{{- if and $leader (not (hasKey $roles $leader)) }}
{{ $path }}.role.leader: {{ $leader }} is none of {{ $path }}.role.roles
{{- end -}}
{{- if and (hasKey (default dict $values.start) "follow") (not $leader) }}
{{ $path }}.start.follow needs {{ $path }}.role.leader
{{- end -}}
{{- range $suffix, $role := $values.roleServices -}}
{{- if not (hasKey $roles $role) }}
{{ $path }}.roleServices.{{ $suffix }}: {{ $role }} is none of {{ $path }}.role.roles
{{- end -}}
{{- end -}}
{{- range $file, $spec := $values.files -}}
{{- $place := default "/run/quorate/files/" (default dict $spec).path -}}
{{- if not (or (hasPrefix "/run/quorate/files/" $place) (hasPrefix (printf "%s/" $values.dataDirectory) $place)) }}
{{ $path }}.files.{{ $file }}.path is {{ $place }}: neither below /run/quorate/files nor below {{ $values.dataDirectory }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "quorate.galera.validate" -}}
{{- range $user := list "root" "agent" "copy" "quorate-agent" "quorate-copy" "mysql" -}}
{{- if hasKey $.values.auth.users $user }}
galera.auth.users.{{ $user }}: the chart or MariaDB has that name for itself, choose another
{{- end -}}
{{- end -}}
{{- if and .values.tls.existingSecret (eq .values.copyMethod "rsync") }}
galera.copyMethod is rsync, which copies without TLS: take mariabackup where galera.tls.existingSecret is set
{{- end -}}
{{- if and (not .root.Values.secretsJob.enabled) (not .values.auth.existingSecret) }}
secretsJob.enabled is false: galera.auth.existingSecret must name a secret with {{ include "quorate.galera.secretKeys" . | fromYamlArray | join ", " }}
{{- end -}}
{{- end -}}
