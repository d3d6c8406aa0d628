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
{{- range $key := list "name" "instance" "component" -}}
{{- if hasKey (default dict $.Values.commonLabels) (printf "app.kubernetes.io/%s" $key) -}}
{{- $faults = append $faults (printf "commonLabels: app.kubernetes.io/%s is a label of selectors; nameOverride, the release's name and the component decide these" $key) -}}
{{- end -}}
{{- end -}}
{{- range $fault := splitList "\n" (include "quorate.validateServer" .) -}}
{{- if $fault }}{{ $faults = append $faults $fault }}{{ end -}}
{{- end -}}
{{- if $faults -}}
{{- fail (printf "\n\nvalues of %s:\n  - %s\n" .Chart.Name (join "\n  - " $faults)) -}}
{{- end -}}
{{- end -}}

{{/* One fault a line. */}}
{{- define "quorate.validateServer" -}}
{{- $server := .Values.server -}}
{{- if $server.enabled -}}
{{- if not (kindIs "invalid" $server.replicaCount) -}}
{{- if lt (int $server.replicaCount) 1 }}
server.replicaCount is {{ $server.replicaCount }}: an ensemble has at least 1; to pause it use `kubectl scale --replicas=0` with server.replicaCount=null
{{- end -}}
{{- end -}}
{{- $ports := dict -}}
{{- range $name, $port := merge (dict "agent.port" .Values.agent.port) (dict "server.ports.client" $server.ports.client "server.ports.peer" $server.ports.peer "server.ports.http" $server.ports.http) (ternary (dict "server.ports.secureClient" $server.ports.secureClient) (dict) (ne $server.tls.existingSecret "")) -}}
{{- $other := get $ports (toString $port) -}}
{{- if $other }}
{{ $other }} and {{ $name }} are both {{ $port }}: the containers of a pod share its ports
{{- end -}}
{{- $_ := set $ports (toString $port) $name -}}
{{- end -}}
{{- if and $server.persistence.log.enabled (not $server.persistence.enabled) }}
server.persistence.log.enabled needs server.persistence.enabled
{{- end -}}
{{- if and $server.persistence.log.enabled (eq $server.persistence.log.name $server.persistence.name) }}
server.persistence.name and server.persistence.log.name are both {{ $server.persistence.name }}: they are two volumes
{{- end -}}
{{- range $name := list "config" "secrets" "agent-secrets" "tls" "kube-api-access" "run" "tmp" -}}
{{- if or (eq $name $server.persistence.name) (eq $name $server.persistence.log.name) }}
{{ $name }} is a volume of the chart's own: choose another server.persistence.name
{{- end -}}
{{- end -}}
{{- $fixed := include "quorate.server.fixedSettings" (dict "values" $server) | fromYaml -}}
{{- range $name := keys (default dict $server.config) | sortAlpha -}}
{{- with get $fixed $name }}
server.config.{{ $name }} follows from {{ . }} and cannot be set beside it
{{- end -}}
{{- end -}}
{{- $minMs := get (default dict $server.config) "sessionTimeoutMsMin" -}}
{{- $maxMs := get (default dict $server.config) "sessionTimeoutMsMax" -}}
{{- if and $minMs (lt (int $.Values.agent.sessionTimeoutMs) (int $minMs)) }}
agent.sessionTimeoutMs is {{ $.Values.agent.sessionTimeoutMs }}, below server.config.sessionTimeoutMsMin of {{ $minMs }}
{{- end -}}
{{- if and $maxMs (gt (int $.Values.agent.sessionTimeoutMs) (int $maxMs)) }}
agent.sessionTimeoutMs is {{ $.Values.agent.sessionTimeoutMs }}, above server.config.sessionTimeoutMsMax of {{ $maxMs }}
{{- end -}}
{{- $auth := $server.auth -}}
{{- if ne (empty $auth.joinKey) (empty $auth.httpToken) }}
server.auth.joinKey and server.auth.httpToken go together
{{- end -}}
{{- if and $auth.existingSecret $auth.joinKey }}
server.auth.existingSecret and server.auth.joinKey are two sources of one secret
{{- end -}}
{{- if and (not .Values.secretsJob.enabled) (not $auth.existingSecret) (not $auth.joinKey) }}
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
{{- $service := $server.service -}}
{{- range $name := list "nodePorts" "externalTrafficPolicy" -}}
{{- if and (index $service $name) (eq $service.type "ClusterIP") }}
server.service.{{ $name }} needs server.service.type NodePort or LoadBalancer
{{- end -}}
{{- end -}}
{{- range $name := list "loadBalancerClass" "loadBalancerSourceRanges" -}}
{{- if and (index $service $name) (ne $service.type "LoadBalancer") }}
server.service.{{ $name }} needs server.service.type LoadBalancer
{{- end -}}
{{- end -}}
{{- $budget := $server.podDisruptionBudget -}}
{{- $most := include "quorate.given" $budget.maxUnavailable -}}
{{- if and $budget.enabled (include "quorate.given" $budget.minAvailable) $most (ne $most "1") }}
server.podDisruptionBudget: minAvailable goes over maxUnavailable; leave maxUnavailable at 1
{{- end -}}
{{- if and (not $server.serviceAccount.create) (not $server.serviceAccount.name) $server.rbac.create }}
server.serviceAccount.create is false: name the account, or every pod of the namespace gets the agent's rights
{{- end -}}
{{- range $name := list "serviceMonitor" "prometheusRule" "dashboards" -}}
{{- if and (index $server.metrics $name).enabled (not $server.metrics.enabled) }}
server.metrics.{{ $name }}.enabled needs server.metrics.enabled
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
