{{/* The chart's image with the given block over it, key by key; of another product's image (own) that alone. */}}
{{- define "quorate.imageBlock" -}}
{{- if .own -}}
{{- toYaml .image -}}
{{- else -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.image) (default dict .image)) -}}
{{- end -}}
{{- end -}}

{{/* (root image): the reference; a digest goes over the tag. */}}
{{- define "quorate.image" -}}
{{- $image := include "quorate.imageBlock" . | fromYaml -}}
{{- $registry := default $image.registry .root.Values.global.imageRegistry -}}
{{- $tag := default .root.Chart.AppVersion $image.tag -}}
{{- with $registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $tag }}{{ end -}}
{{- end -}}

{{- define "quorate.imagePullPolicy" -}}
{{- (include "quorate.imageBlock" . | fromYaml).pullPolicy -}}
{{- end -}}

{{- define "quorate.imagePullSecrets" -}}
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}
