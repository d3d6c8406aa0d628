{{/* Every component that the chart knows, in the order of its objects. */}}
{{- define "quorate.componentNames" -}}
- server
- kafka
- kafkaControllers
- mongodb
- postgresql
- galera
- allegrograph
- allegrographCopies
{{- range $name := keys .Values.generic | sortAlpha }}
- {{ $name }}
{{- end }}
{{- end -}}

{{/*
(root name into): puts into the dict what the templates of a component take: root, name, values (its block), kind
(whose descriptor it has) and path (where its block stands in the values). One of `generic` has genericDefaults
under its own block. Not by way of YAML, which would make other numbers of large ones.
*/}}
{{- define "quorate.setComponent" -}}
{{- $values := default dict (index .root.Values .name) -}}
{{- $kind := .name -}}
{{- $path := .name -}}
{{- if hasKey .root.Values.generic .name -}}
{{- $kind = "generic" -}}
{{- $path = printf "generic.%s" .name -}}
{{- $values = include "quorate.generic.setValues" . -}}
{{- $values = .into.values -}}
{{- end -}}
{{- range $key, $value := dict "root" .root "name" .name "values" $values "kind" $kind "path" $path -}}
{{- $_ := set $.into $key $value -}}
{{- end -}}
{{- end -}}

{{/*
Renders a template once for every enabled component: (root template). The template gets root, name
(the component's), values (its block), kind, path and descriptor (what the chart knows about it).
*/}}
{{- define "quorate.forEach" -}}
{{- $root := .root -}}
{{- $template := .template -}}
{{- range $name := include "quorate.componentNames" $root | fromYamlArray }}
{{- $component := dict }}
{{- include "quorate.setComponent" (dict "root" $root "name" $name "into" $component) }}
{{- if $component.values.enabled }}
{{- $descriptor := include (printf "quorate.%s.descriptor" $component.kind) $component | fromYaml }}
{{- if $descriptor.Error }}{{ fail (printf "the descriptor of %s is not YAML: %s" $name $descriptor.Error) }}{{ end }}
{{- with include $template (merge (dict "descriptor" $descriptor) $component) | trim }}
---
{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The replicas of a component; "" leaves the field out. null stands for the number that the live set
has, since a release that drops the field would have it reset to 1, and members removed.
*/}}
{{- define "quorate.replicas" -}}
{{- if not (kindIs "invalid" .values.replicaCount) -}}
{{- .values.replicaCount -}}
{{- else -}}
{{- $live := lookup "apps/v1" "StatefulSet" .root.Release.Namespace (include "quorate.fullname" .) -}}
{{- if and $live (hasKey $live.spec "replicas") -}}
{{- $live.spec.replicas -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A number or text as text, "" for what null has taken out of the values: zero is a number. */}}
{{- define "quorate.given" -}}
{{- if not (kindIs "invalid" .) }}{{ toString . }}{{ end -}}
{{- end -}}

{{/* A claim's storage class line: "-" is the empty class, "" is the global or the cluster's own. */}}
{{- define "quorate.storageClass" -}}
{{- $class := default .root.Values.global.storageClass .class -}}
{{- if eq $class "-" }}
storageClassName: ""
{{- else if $class }}
storageClassName: {{ $class }}
{{- end }}
{{- end -}}

{{/* Where clients of the tree connect to: the ensemble of this release or an external one. */}}
{{- define "quorate.connectString" -}}
{{- $root := .root -}}
{{- if $root.Values.server.enabled -}}
{{- $context := dict "root" $root "name" "server" "values" $root.Values.server -}}
{{ include "quorate.clientService" $context }}.{{ include "quorate.serviceDomain" $context }}:{{ include "quorate.server.treePort" $context }}
{{- else -}}
{{ join "," $root.Values.externalServer.hosts }}
{{- end -}}
{{- end -}}

{{/* The secret of certificates with which the tree is reached; "" where it is reached without TLS. */}}
{{- define "quorate.treeTlsSecret" -}}
{{- $values := .root.Values -}}
{{- if $values.server.enabled -}}
{{- if not $values.server.tls.plainClients }}{{ $values.server.tls.existingSecret }}{{ end -}}
{{- else -}}
{{ $values.externalServer.tls.existingSecret }}
{{- end -}}
{{- end -}}

{{- define "quorate.treeTlsDirectory" -}}
/etc/quorate-tree-tls
{{- end -}}

{{/* Where everything of this release lives in the tree; "" is its root. */}}
{{- define "quorate.treeRoot" -}}
{{- if not .root.Values.server.enabled }}{{ .root.Values.externalServer.chroot }}{{ end -}}
{{- end -}}
