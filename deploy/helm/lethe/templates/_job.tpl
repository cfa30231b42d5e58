{{/*
What each job runs, which keys it gets and how many seconds it may take: the same as in deploy/systemd, and not a matter of
values.yaml.
*/}}
{{- define "lethe.jobs" -}}
snapshot: {args: [snapshot, --quiet], keys: [namingKey], seconds: 172800}
capture: {args: [tombstone, capture, run, --follow], keys: [namingKey]}
prune: {args: [prune, --confirm], keys: [namingKey], seconds: 43200}
schedule: {args: [snapshots, --quiet], keys: [namingKey], seconds: 600}
doctor: {args: [doctor, --record], keys: [namingKey], seconds: 600}
verify: {args: [verify], keys: [namingKey, identity], seconds: 43200}
copy: {args: [copy], keys: [namingKey], seconds: 43200}
drill: {args: [drill, --pick, random, --quiet, --into, {{ .Values.jobs.drill.into | quote }}], keys: [namingKey, identity], seconds: 43200}
{{- end }}

{{- define "lethe.labels" -}}
app.kubernetes.io/name: lethe
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lethe.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end }}

{{- define "lethe.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* The pod of a job: root, name (of the job), args and keys. */}}
{{- define "lethe.pod" -}}
{{- $values := .root.Values }}
{{- $job := index $values.jobs .name -}}
serviceAccountName: {{ .root.Release.Name }}-{{ .name }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
initContainers:
  # Lethe takes no key that others than its owner may read, and a Secret's files belong to root.
  - name: keys
    image: {{ include "lethe.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    command: [/usr/bin/install, --mode=0400, --target-directory=/keys]
    args:
      {{- range .keys }}
      - /secrets/{{ . }}
      {{- end }}
    securityContext: {{- include "lethe.containerSecurity" .root | nindent 6 }}
    resources:
      requests: {cpu: 10m, memory: 16Mi}
      limits: {memory: 64Mi}
    volumeMounts:
      - {name: secrets, mountPath: /secrets, readOnly: true}
      - {name: keys, mountPath: /keys}
containers:
  - name: lethe
    image: {{ include "lethe.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args: {{ toJson .args }}
    env:
      - {name: LETHE_CONFIG, value: /etc/lethe/lethe.toml}
      - {name: LETHE_STATE_DIR, value: /var/lib/lethe}
      - {name: HOME, value: /tmp}
      - {name: LETHE_NAMING_KEY_FILE, value: /keys/namingKey}
      {{- if has "identity" .keys }}
      - {name: LETHE_IDENTITY_FILE, value: /keys/identity}
      {{- end }}
    {{- with $job.secret }}
    envFrom:
      - secretRef: {name: {{ . }}}
    {{- end }}
    securityContext: {{- include "lethe.containerSecurity" .root | nindent 6 }}
    resources: {{- toYaml $job.resources | nindent 6 }}
    volumeMounts:
      - {name: settings, mountPath: /etc/lethe, readOnly: true}
      - {name: state, mountPath: /var/lib/lethe}
      - {name: tmp, mountPath: /tmp}
      - {name: keys, mountPath: /keys, readOnly: true}
volumes:
  - name: settings
    configMap: {name: {{ .root.Release.Name }}-settings}
  - name: tmp
    emptyDir: {sizeLimit: 1Gi}
  - name: state
    {{- if $values.state.persistent }}
    persistentVolumeClaim: {claimName: {{ .root.Release.Name }}-state-{{ .name }}}
    {{- else }}
    emptyDir: {sizeLimit: 16Mi}
    {{- end }}
  - name: keys
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range .keys }}
        {{- $key := index $values . }}
        - secret:
            name: {{ $key.secret }}
            items: [{key: {{ $key.key }}, path: {{ . }}}]
        {{- end }}
{{- end }}
