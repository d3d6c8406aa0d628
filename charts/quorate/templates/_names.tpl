{{/* The chart's name, for labels. */}}
{{- define "quorate.name" -}}
{{- default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" | trimSuffix "." -}}
{{- end -}}

{{/*
The base name of a component: release, or release-chart, and the component's suffix. A StatefulSet's
name is part of a label with 11 more characters (kubernetes#64023), so it ends at 52 with its suffix.
*/}}
{{- define "quorate.fullname" -}}
{{- $suffix := (default dict .descriptor).suffix | default "" -}}
{{- $base := .root.Values.fullnameOverride -}}
{{- if not $base -}}
{{- $chart := default .root.Chart.Name .root.Values.nameOverride -}}
{{- $base = contains $chart .root.Release.Name | ternary .root.Release.Name (printf "%s-%s" .root.Release.Name $chart) -}}
{{- end -}}
{{- $base | trunc (int (sub 52 (len $suffix))) | trimSuffix "-" | trimSuffix "." -}}{{- $suffix -}}
{{- end -}}

{{- define "quorate.chart" -}}
{{- printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_" -}}
{{- end -}}

{{/* The Service of the server's clients. */}}
{{- define "quorate.clientService" -}}
{{- include "quorate.serviceName" (dict "context" . "service" (dict "suffix" "cs")) -}}
{{- end -}}

{{/*
(context service): the name of a Service of clients. One that selects a role has the role's suffix also
where the values name it, since it has a twin; so has one with a block of its own.
*/}}
{{- define "quorate.serviceName" -}}
{{- $fullname := include "quorate.fullname" .context -}}
{{- $given := .context.values.service.name -}}
{{- if .service.own -}}
{{ $fullname }}-{{ .service.suffix }}
{{- else if .service.role -}}
{{ default $fullname $given }}-{{ .service.suffix }}
{{- else -}}
{{ default (printf "%s-%s" $fullname .service.suffix) $given }}
{{- end -}}
{{- end -}}

{{/* The Service that names every pod. */}}
{{- define "quorate.headlessService" -}}
{{ include "quorate.fullname" . }}-hs
{{- end -}}

{{- define "quorate.metricsService" -}}
{{ include "quorate.fullname" . }}-metrics
{{- end -}}

{{- define "quorate.configMap" -}}
{{ include "quorate.fullname" . }}-config
{{- end -}}

{{/* The record that says which server founded the cluster; the agent makes it, the set owns it. */}}
{{- define "quorate.formingRecord" -}}
{{ include "quorate.fullname" . }}-forming
{{- end -}}

{{- define "quorate.serviceAccountName" -}}
{{- if .values.serviceAccount.create -}}
{{- default (include "quorate.fullname" .) .values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The secret of a component: another component's, the user's, else one of the chart's own name. */}}
{{- define "quorate.secretName" -}}
{{- default (printf "%s-auth" (include "quorate.fullname" .)) (default (default dict .values.auth).existingSecret (default dict .descriptor).secret) -}}
{{- end -}}

{{/* What applications take to connect, with the passwords of the other secret in it; the hook Job writes it. */}}
{{- define "quorate.connectionSecret" -}}
{{ include "quorate.fullname" . }}-connection
{{- end -}}

{{/* Service names with the cluster's domain, so that no search path is gone through. */}}
{{- define "quorate.serviceDomain" -}}
{{ .root.Release.Namespace }}.svc.{{ .root.Values.global.clusterDomain }}
{{- end -}}
