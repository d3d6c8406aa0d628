{{/*
What chart and agent agree upon, in one place: files, ports, environment names, paths of probes.
*/}}
{{- define "quorate.agent.runDirectory" -}}
/run/quorate
{{- end -}}

{{- define "quorate.agent.permitPipe" -}}
{{ include "quorate.agent.runDirectory" . }}/permit
{{- end -}}

{{- define "quorate.agent.secretDirectory" -}}
/etc/quorate-agent-secrets
{{- end -}}

{{/*
The token of /prestop. A hook's header stands in the pod's spec as text, and two renderings are one text:
so this follows from names, and is no secret unless the values give one. It keeps accidents away; what
keeps others away is networkPolicy.scrapers.
*/}}
{{- define "quorate.agent.preStopToken" -}}
{{- default (printf "%s/%s/%s/prestop" .root.Release.Namespace .root.Release.Name .name | sha256sum | trunc 32) .root.Values.agent.preStopToken -}}
{{- end -}}

{{- define "quorate.agent.preStop" -}}
httpGet:
  path: /prestop
  port: {{ .root.Values.agent.port }}
  httpHeaders:
    - name: Authorization
      value: Bearer {{ include "quorate.agent.preStopToken" . }}
{{- end -}}

{{/* Key of the label by which Services tell a primary from its standbys. */}}
{{- define "quorate.agent.roleLabel" -}}
quorate/role
{{- end -}}

{{/* All of a drain: what is left of the grace period is for the stop itself. */}}
{{- define "quorate.agent.drainSeconds" -}}
{{- sub (int .values.terminationGracePeriodSeconds) 15 -}}
{{- end -}}

{{- define "quorate.agent.env" -}}
{{- $env := dict
  "ENGINE" .descriptor.engine
  "PORT" (toString .root.Values.agent.port)
  "SET" (include "quorate.fullname" .)
  "SERVICE" (include "quorate.headlessService" .)
  "CLUSTER_DOMAIN" .root.Values.global.clusterDomain
  "PERMIT_PIPE" (include "quorate.agent.permitPipe" .)
  "TREE" (include "quorate.connectString" .)
  "SESSION_TIMEOUT_MS" (toString .root.Values.agent.sessionTimeoutMs)
  "PRESTOP_TOKEN" (include "quorate.agent.preStopToken" .)
  "DRAIN_BUDGET_MS" (toString (mul 1000 (include "quorate.agent.drainSeconds" . | int)))
  "LOG_LEVEL" .root.Values.agent.logLevel -}}
{{- if .descriptor.record -}}
{{- $_ := set $env "RECORD" (include "quorate.formingRecord" .) -}}
{{- end -}}
{{- with include "quorate.treeRoot" . -}}
{{- $_ := set $env "TREE_ROOT" (printf "%s/members/v1" .) -}}
{{- end -}}
{{- if .descriptor.treeTlsSecret -}}
{{- $directory := include "quorate.treeTlsDirectory" . -}}
{{- range $name, $file := dict "TREE_CA_FILE" "ca.crt" "TREE_CERTIFICATE_FILE" "tls.crt" "TREE_KEY_FILE" "tls.key" -}}
{{- $_ := set $env $name (printf "%s/%s" $directory $file) -}}
{{- end -}}
{{- end -}}
{{- if .descriptor.roleLabel -}}
{{- $_ := set $env "ROLE_LABEL" (include "quorate.agent.roleLabel" .) -}}
{{- end -}}
{{- $env = mergeOverwrite $env (default dict .descriptor.agentEnv) -}}
- name: QUORATE_AGENT_POD
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: QUORATE_AGENT_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- range $name, $path := default dict .descriptor.agentFields }}
- name: {{ $name }}
  valueFrom:
    fieldRef:
      fieldPath: {{ $path }}
{{- end }}
{{- /* Its few threads hardly allocate: an arena for each would only be memory. */}}
- name: MALLOC_ARENA_MAX
  value: "1"
{{- range $name, $value := $env }}
{{- if ne $value "" }}
- name: QUORATE_AGENT_{{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The native sidecar: started before the engine, stopped after it, the last init container. */}}
{{- define "quorate.agent.container" -}}
name: agent
image: {{ include "quorate.image" (dict "root" .root "image" .root.Values.agent.image) }}
imagePullPolicy: {{ include "quorate.imagePullPolicy" (dict "root" .root "image" .root.Values.agent.image) }}
restartPolicy: Always
command: [/usr/local/bin/quorate]
args: [agent]
env:
  {{- include "quorate.agent.env" . | nindent 2 }}
  {{- with .root.Values.agent.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: agent
    containerPort: {{ .root.Values.agent.port }}
    protocol: TCP
startupProbe:
  httpGet:
    path: /startupz
    port: {{ .root.Values.agent.port }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1800
livenessProbe:
  httpGet:
    path: /agentz
    port: {{ .root.Values.agent.port }}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
resources:
  {{- toYaml .root.Values.agent.resources | nindent 2 }}
securityContext:
  {{- /* Of an engine that writes beside its volumes the agent need not do so too. */}}
  {{- $security := set (deepCopy .values.containerSecurityContext) "readOnlyRootFilesystem" true }}
  {{- toYaml (mergeOverwrite $security .root.Values.agent.containerSecurityContext) | nindent 2 }}
volumeMounts:
  {{- range .descriptor.claims }}
  - name: {{ .name }}
    mountPath: {{ .mountPath }}
  {{- end }}
  - name: run
    mountPath: {{ include "quorate.agent.runDirectory" . }}
  - name: tmp
    mountPath: /tmp
  {{- if .descriptor.agentSecretKeys }}
  - name: agent-secrets
    mountPath: {{ include "quorate.agent.secretDirectory" . }}
    readOnly: true
  {{- end }}
  {{- if .descriptor.tlsSecret }}
  - name: tls
    mountPath: {{ .descriptor.tlsDirectory }}
    readOnly: true
  {{- end }}
  {{- if .descriptor.treeTlsSecret }}
  - name: tree-tls
    mountPath: {{ include "quorate.treeTlsDirectory" . }}
    readOnly: true
  {{- end }}
  - name: kube-api-access
    mountPath: /var/run/secrets/kubernetes.io/serviceaccount
    readOnly: true
  {{- with .root.Values.agent.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/*
A script in an engine's container begins and ends with these: it waits for one line of the agent, the permit for
one start, and then runs the engine by `exec`; `.beforePermit` runs before it asks; permitEnd runs `.whileStopping` beside an engine that was told to stop. All that happens in a child of the shell. A signal that reaches
process 1 before it is handled is lost, and the stop would wait for the kill; a shell that is process 1 may
also go on waiting for the line. A child simply ends, and the engine takes its place.
*/}}
{{- define "quorate.permitBegin" -}}
trap 'exit 0' TERM INT
set -euf
(
{{- with .beforePermit }}
{{ . }}
{{- end }}
# Opening waits for the agent. Where that went away in the middle, there is the end of the file, and no permit.
until IFS= read -r permit < {{ include "quorate.agent.permitPipe" . }}; do sleep 1; done
{{- end -}}

{{- define "quorate.permitEnd" -}}
) &
engine=$!
trap 'told=yes; kill -TERM "$engine" 2>/dev/null || true{{ with .whileStopping }}; {{ . }} &{{ end }}' TERM INT
# A signal ends the wait, not the engine, whose own end counts: it may have come since.
told=yes
while [ -n "$told" ]; do
  told= code=0
  wait "$engine" || code=$?
done
exit "$code"
{{- end -}}

{{/* The token that the pod does not mount by itself, so that only the agent has it. */}}
{{- define "quorate.tokenVolume" -}}
name: kube-api-access
projected:
  sources:
    - serviceAccountToken:
        path: token
        expirationSeconds: 3607
    - configMap:
        name: kube-root-ca.crt
        items:
          - key: ca.crt
            path: ca.crt
    - downwardAPI:
        items:
          - path: namespace
            fieldRef:
              apiVersion: v1
              fieldPath: metadata.namespace
{{- end -}}
