{{- define "parley.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{- define "parley.labels" -}}
app.kubernetes.io/name: parley
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "parley.account" -}}
{{- .Values.serviceAccount.name | default (include "parley.name" .) -}}
{{- end }}

{{- define "parley.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Every setting, also for the migration, which runs before anything else of the chart is there. */}}
{{- define "parley.env" -}}
{{- $first := first .Values.rasa.images }}
{{- $own := dict
      "PARLEY_INTERNAL_URL" (printf "http://%s.%s:%v" (include "parley.name" .) .Release.Namespace .Values.service.port)
      "PARLEY_PROCESSES" "kubernetes"
      "PARLEY_RASA_VERSION" $first.name
      "PARLEY_KUBERNETES_NAMESPACE" .Release.Namespace
      "PARLEY_WEB_GRACE" "45"
      "PARLEY_WORKER_GRACE" "45"
      "PARLEY_TRAINING_WORKERS" (toString .Values.training.replicas)
      "PARLEY_RUNNING_WORKERS" (toString .Values.running.replicas) }}
{{- $images := list }}
{{- range .Values.rasa.images }}{{ $images = append $images (printf "%s=%s" .name .image) }}{{ end }}
{{- $_ := set $own "PARLEY_RASA_IMAGES" (join "," $images) }}
{{- range $name, $value := merge (dict) .Values.settings $own }}
- name: {{ $name }}
  value: {{ toString $value | quote }}
{{- end }}
{{- range concat .Values.secret.keys .Values.secret.moreKeys }}
- name: {{ . }}_FILE
  value: /run/secrets/parley/{{ . }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A process that starts Jobs: where their Pods reach it, and whose they are. */}}
{{- define "parley.desk" -}}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_UID
  valueFrom: { fieldRef: { fieldPath: metadata.uid } }
- name: PARLEY_KUBERNETES_ADDRESS
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- name: PARLEY_KUBERNETES_PORT
  value: "8790"
- name: PARLEY_KUBERNETES_OWNER
  value: $(POD_NAME)/$(POD_UID)
- name: PARLEY_KUBERNETES_TEMPLATE
  value: /etc/parley/pod-template.yaml
- name: PARLEY_KUBERNETES_SERVER_RESOURCES
  value: /etc/parley/server-resources.yaml
{{- end }}

{{- define "parley.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "parley.mounts" -}}
- { name: secrets, mountPath: /run/secrets/parley, readOnly: true }
- { name: data, mountPath: /data }
- { name: tmp, mountPath: /tmp }
{{- if .Values.persistence.enabled }}
- { name: artifacts, mountPath: /data/artifacts }
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "parley.volumes" -}}
- name: secrets
  secret: { secretName: {{ .Values.secret.name }}, defaultMode: 0440 }
- { name: data, emptyDir: {} }
- { name: tmp, emptyDir: {} }
{{- if .Values.persistence.enabled }}
- name: artifacts
  persistentVolumeClaim:
    claimName: {{ .Values.persistence.existingClaim | default (printf "%s-artifacts" (include "parley.name" .)) }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "parley.pod" -}}
securityContext:
  {{- $usual := dict "runAsNonRoot" true "runAsUser" 10001 "runAsGroup" 10001 "fsGroup" 10001 "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- toYaml (merge (dict) .Values.podSecurityContext $usual) | nindent 2 }}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A deployment without a port: list of the chart's root, the name, its arguments, its heartbeat, whether it starts Jobs. */}}
{{- define "parley.worker" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}{{ $arguments := index . 2 }}{{ $beat := index . 3 }}{{ $desk := index . 4 }}
{{- $values := index $root.Values $name }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "parley.name" $root }}-{{ $name }}
  labels:
    {{- include "parley.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $name }}
spec:
  replicas: {{ $values.replicas }}
  selector:
    matchLabels:
      app.kubernetes.io/instance: {{ $root.Release.Name }}
      app.kubernetes.io/component: {{ $name }}
  template:
    metadata:
      labels:
        {{- include "parley.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $name }}
        {{- if $desk }}
        parley/desk: "true"
        {{- end }}
      annotations:
        checksum/template: {{ printf "%s%s" (toYaml $root.Values.rasa.podTemplate) (toYaml $root.Values.rasa.serverResources) | sha256sum }}
        {{- with $root.Values.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      {{- include "parley.pod" $root | nindent 6 }}
      serviceAccountName: {{ include "parley.account" $root }}
      automountServiceAccountToken: {{ $desk }}
      terminationGracePeriodSeconds: 60
      containers:
        - name: {{ $name }}
          image: {{ include "parley.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: {{ toJson $arguments }}
          env:
            {{- include "parley.env" $root | nindent 12 }}
            {{- if $desk }}
            {{- include "parley.desk" $root | nindent 12 }}
            {{- end }}
          securityContext:
            {{- include "parley.security" $root | nindent 12 }}
          {{- if $desk }}
          ports:
            - { name: desk, containerPort: 8790 }
          {{- end }}
          startupProbe:
            exec: { command: [python, -m, studio.jobs.alive, {{ $beat }}] }
            periodSeconds: 15
            timeoutSeconds: 30
            failureThreshold: 20
          livenessProbe:
            exec: { command: [python, -m, studio.jobs.alive, {{ $beat }}] }
            periodSeconds: 60
            timeoutSeconds: 30
            failureThreshold: 3
          resources: {{ toYaml $values.resources | nindent 12 }}
          volumeMounts:
            {{- include "parley.mounts" $root | nindent 12 }}
            {{- if $desk }}
            - { name: template, mountPath: /etc/parley, readOnly: true }
            {{- end }}
      volumes:
        {{- include "parley.volumes" $root | nindent 8 }}
        {{- if $desk }}
        - name: template
          configMap: { name: {{ include "parley.name" $root }}-pod-template }
        {{- end }}
{{- end }}
