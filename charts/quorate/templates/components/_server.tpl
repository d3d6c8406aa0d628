{{/*
What the chart knows about the server. Fields of a descriptor:
  suffix          of the component's name
  engine          the agent's driver
  container       name of the main container
  command, args   of the main container; the agent's permit comes before the engine
  env             of the main container
  ports           of the main container: name -> number
  clientPorts     names of those that clients use, in the order of the Service
  peerPorts       names of those that only the component's own pods use
  outsidePorts    names of those that clients outside of the cluster use, at Services of single members
  metricsPorts    names of those with /metrics
  services        of clients: suffix of the name, role (a value of the role's label) where only such are meant
  memberServices  how many members have a Service of their own, by values.external
  image           of an engine that is another product's; without it values.image goes over the chart's
  configFiles     file name -> text, mounted at configDirectory
  claims          volumes: name, mountPath, and the block of values
  secretKeys      key of the secret -> file name, mounted at secretDirectory
  tlsSecret       name of a secret of certificates, mounted whole at tlsDirectory; "" for none. The agent
                  has it too, for its own session
  treeTlsSecret   the same of the tree's certificates, for the agent, and for the engine where treeInEngine
  sharedMemory    size of /dev/shm, where the engine needs one of its own
  probes          startup, liveness, readiness: path and the port's name (agent for the sidecar)
  agentSecretKeys key of the secret -> file name, for the agent
  agentEnv        of the agent, beside what every agent gets
  agentFields     environment name -> path of the pod's field, for values of agentEnv
  generatedKeys   keys of the secret that the hook Job makes
  secretTexts     key -> text of the connection secret; {key} in it is a key of the secret
  inlineSecret    the secret by the values, for tests
  record          true: the agent keeps the founding in a ConfigMap
  roleLabel       true: the agent labels its pod with its role
  rules           of the Role, beside what every agent gets
*/}}
{{- define "quorate.server.descriptor" -}}
{{- $keys := .values.auth.existingSecretKeys -}}
suffix: ""
engine: quorate
container: server
command: [/usr/local/bin/quorate]
args: [permitted, {{ include "quorate.agent.permitPipe" . }}, serve, /etc/quorate/server.yaml]
configDirectory: /etc/quorate
configFiles:
  server.yaml: |
    {{- include "quorate.server.config" . | nindent 4 }}
  {{- if .values.tls.existingSecret }}
  client.properties: |
    zookeeper.client.secure=true
    zookeeper.ssl.keyStore.location=/etc/quorate-tls/tls.crt
    quorate.tlsKeyFile=/etc/quorate-tls/tls.key
    zookeeper.ssl.trustStore.location=/etc/quorate-tls/ca.crt
  {{- end }}
secretDirectory: /etc/quorate-secrets
secretKeys:
  {{ $keys.joinKey }}: join-key
tlsSecret: {{ .values.tls.existingSecret | quote }}
tlsDirectory: /etc/quorate-tls
ports:
  {{- if .values.tls.plainClients }}
  client: {{ .values.ports.client }}
  {{- end }}
  {{- if .values.tls.existingSecret }}
  secure-client: {{ .values.ports.secureClient }}
  {{- end }}
  peer: {{ .values.ports.peer }}
  http: {{ .values.ports.http }}
clientPorts: [{{ if .values.tls.plainClients }}client, {{ end }}http{{ if .values.tls.existingSecret }}, secure-client{{ end }}]
peerPorts: [peer]
metricsPorts: [http]
services:
  - suffix: cs
env:
  - name: QUORATE_NAME
    value: $(POD_NAME)
  - name: QUORATE_ADVERTISED_HOST
    value: $(POD_NAME).{{ include "quorate.headlessService" . }}.{{ include "quorate.serviceDomain" . }}
  {{- if eq .values.auth.http "token" }}
  - name: QUORATE_HTTP_TOKEN
    valueFrom:
      secretKeyRef:
        name: {{ include "quorate.secretName" . }}
        key: {{ $keys.httpToken }}
  {{- end }}
  # Of zkCli.sh in this container.
  - name: QUORATE_SERVER
  {{- if .values.tls.plainClients }}
    value: localhost:{{ .values.ports.client }}
  {{- else }}
    value: $(QUORATE_ADVERTISED_HOST):{{ .values.ports.secureClient }}
  - name: QUORATE_CLIENT_CONFIGURATION
    value: /etc/quorate/client.properties
  {{- end }}
claims:
  - name: {{ .values.persistence.name }}
    mountPath: /var/lib/quorate/data
    block: persistence
  {{- if .values.persistence.log.enabled }}
  - name: {{ .values.persistence.log.name }}
    mountPath: /var/lib/quorate/log
    block: log
  {{- end }}
probes:
  startup: {path: /livez, port: http}
  liveness: {path: /livez, port: http}
  readiness: {path: /readyz, port: http}
agentSecretKeys:
  {{ $keys.httpToken }}: http-token
generatedKeys: [{{ $keys.joinKey | quote }}, {{ $keys.httpToken | quote }}]
{{- if .values.auth.joinKey }}
inlineSecret:
  {{ $keys.joinKey }}: {{ .values.auth.joinKey | quote }}
  {{ $keys.httpToken }}: {{ .values.auth.httpToken | quote }}
{{- end }}
record: true
agentEnv:
  CLIENT_PORT: {{ .values.tls.plainClients | ternary .values.ports.client 0 | quote }}
  {{- if .values.tls.existingSecret }}
  SECURE_CLIENT_PORT: {{ .values.ports.secureClient | quote }}
  {{- end }}
  PEER_PORT: {{ .values.ports.peer | quote }}
  HTTP_PORT: {{ .values.ports.http | quote }}
  DATA_DIRECTORY: {{ include "quorate.server.dataDirectory" . }}
  {{- if .values.persistence.log.enabled }}
  LOG_DIRECTORY: {{ include "quorate.server.logDirectory" . }}
  {{- end }}
  {{- if not .values.persistence.enabled }}
  VOLATILE: "true"
  {{- end }}
  ENGINE_TOKEN_FILE: {{ include "quorate.agent.secretDirectory" . }}/http-token
  # The local server first: the agent publishes while the Service has no Ready server yet.
  TREE: 127.0.0.1:{{ include "quorate.server.treePort" . }},{{ include "quorate.connectString" . }}
  {{- if not .values.tls.plainClients }}
  TREE_CA_FILE: /etc/quorate-tls/ca.crt
  TREE_CERTIFICATE_FILE: /etc/quorate-tls/tls.crt
  TREE_KEY_FILE: /etc/quorate-tls/tls.key
  {{- end }}
rules: []
{{- end -}}

{{/* The port that the release's own clients use. */}}
{{- define "quorate.server.treePort" -}}
{{ .values.tls.plainClients | ternary .values.ports.client .values.ports.secureClient }}
{{- end -}}

{{/* Below the mount points: a file system's lost+found is none of the server's files. */}}
{{- define "quorate.server.dataDirectory" -}}
/var/lib/quorate/data/server
{{- end -}}

{{- define "quorate.server.logDirectory" -}}
{{ .values.persistence.log.enabled | ternary "/var/lib/quorate/log/server" (include "quorate.server.dataDirectory" .) }}
{{- end -}}

{{/* The settings that follow from other values: `server.config` may not hold them. */}}
{{- define "quorate.server.fixedSettings" -}}
name: the pod's name
bootstrap: the agent's permit
join: the agent's permit
clusterFile: the agent's permit
advertisedHost: the pod's name
clientHost: all addresses
peerHost: all addresses
httpHost: all addresses
clientPort: server.ports.client
peerPort: server.ports.peer
httpPort: server.ports.http
dataDirectory: server.persistence
logDirectory: server.persistence.log
httpAuth: server.auth.http
httpToken: server.auth
secret: server.auth
secretFile: server.auth
{{- if .values.tls.existingSecret }}
secureClientPort: server.ports.secureClient
secureClientHost: all addresses
tlsCertificateFile: server.tls
tlsKeyFile: server.tls
tlsCaFile: server.tls
tlsClientAuth: server.tls.clientAuth
peerTls: server.tls.peers
peerPortUnification: server.tls.peers
{{- end }}
{{- end -}}

{{- define "quorate.server.config" -}}
{{- $settings := dict
  "clientPort" (.values.tls.plainClients | ternary .values.ports.client 0)
  "peerPort" .values.ports.peer
  "httpPort" .values.ports.http
  "httpAuth" .values.auth.http
  "dataDirectory" (include "quorate.server.dataDirectory" .)
  "logDirectory" (include "quorate.server.logDirectory" .)
  "secretFile" "/etc/quorate-secrets/join-key" -}}
{{- with .values.tls -}}
{{- if .existingSecret -}}
{{- $settings = merge $settings (dict
  "secureClientPort" $.values.ports.secureClient
  "tlsCertificateFile" "/etc/quorate-tls/tls.crt"
  "tlsKeyFile" "/etc/quorate-tls/tls.key"
  "tlsCaFile" "/etc/quorate-tls/ca.crt"
  "tlsClientAuth" .clientAuth
  "peerTls" (has .peers (list "prefer" "require"))
  "peerPortUnification" (has .peers (list "accept" "prefer"))) -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy (default dict .values.config)) $settings) -}}
{{- end -}}
