package references

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote/objects"
	"go.yaml.in/yaml/v3"
)

func from(t testing.TB, text string) []objects.Object {
	t.Helper()
	var out []objects.Object
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v map[string]any
		if dec.Decode(&v) != nil {
			return out
		}
		out = append(out, objects.Of(v))
	}
}

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      serviceAccountName: web
      imagePullSecrets: [{name: pull}]
      initContainers:
      - name: init
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: maybe, optional: true}}]
      containers:
      - name: web
        env:
        - {name: A, value: a}
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: db, key: password}}}
        - {name: HOST, valueFrom: {configMapKeyRef: {name: settings, key: host}}}
        - {name: FIELD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      volumes:
      - {name: certs, secret: {secretName: tls, items: [{key: tls.crt, path: x}]}}
      - {name: data, persistentVolumeClaim: {claimName: data}}
      - {name: all, projected: {sources: [{configMap: {name: more}}, {secret: {name: token}}]}}
`

func lines(all []Finding) string {
	var out []string
	for _, f := range all {
		out = append(out, f.String())
	}
	return strings.Join(out, "\n")
}

// Whatever gives a Secret its name counts, and keys as far as they are known.
func TestMissing(t *testing.T) {
	all := "Deployment shop/web: names ServiceAccount web, which is not there\nDeployment shop/web: names Secret pull, which is not there\nDeployment shop/web: names Secret tls, which is not there\n" +
		"Deployment shop/web: names key \"tls.crt\" of Secret tls, which is not there\nDeployment shop/web: names PersistentVolumeClaim data, which is not there\nDeployment shop/web: names ConfigMap more, which is not there\n" +
		"Deployment shop/web: names Secret token, which is not there\nDeployment shop/web: names ConfigMap settings, which is not there\nDeployment shop/web: names key \"password\" of Secret db, which is not there\n" +
		"Deployment shop/web: names key \"host\" of ConfigMap settings, which is not there"
	if got := lines(Missing(from(t, web), nil)); got != all {
		t.Errorf("got\n%s\nwant\n%s", got, all)
	}
	rest := []string{"ServiceAccount/web", "Secret/pull", "Secret/tls", "PersistentVolumeClaim/*", "ConfigMap/more", "Secret/token", "ConfigMap/settings"}
	for name, tc := range map[string]struct{ more, want string }{
		"nothing":                  {"", `names key "password" of Secret db, which is not there`},
		"a Secret":                 {"apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: x}\n", ""},
		"one without the key":      {"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata: {user: x}\n", `names key "password" of Secret db, which has no such key`},
		"in another namespace":     {"apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: other}\ndata: {password: x}\n", "which is not there"},
		"an ExternalSecret":        {"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x, namespace: shop}\nspec: {target: {name: db}, data: [{secretKey: password}]}\n", ""},
		"by its own name":          {"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db, namespace: shop}\nspec: {data: [{secretKey: user}]}\n", "which has no such key"},
		"of whatever there is":     {"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db, namespace: shop}\nspec: {dataFrom: [{extract: {key: x}}]}\n", ""},
		"by a template":            {"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db, namespace: shop}\nspec: {target: {template: {data: {password: x}}}, data: [{secretKey: user}]}\n", ""},
		"a SealedSecret":           {"apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: x, namespace: shop}\nspec: {encryptedData: {password: AgB}, template: {metadata: {name: db}}}\n", ""},
		"a vault":                  {"apiVersion: secrets.hashicorp.com/v1beta1\nkind: VaultStaticSecret\nmetadata: {name: x, namespace: shop}\nspec: {destination: {name: db}}\n", ""},
		"a driver":                 {"apiVersion: secrets-store.csi.x-k8s.io/v1\nkind: SecretProviderClass\nmetadata: {name: x, namespace: shop}\nspec: {secretObjects: [{secretName: db, data: [{key: password}]}]}\n", ""},
		"a certificate without it": {"apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x, namespace: shop}\nspec: {secretName: db}\n", "which has no such key"},
	} {
		if got := lines(Missing(from(t, web+"---\n"+tc.more), rest)); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for declared, want := range map[string]bool{"Secret/db": true, "Secret/d*:pass*": true, "Secret/db:user": false, "*/db": true, "ConfigMap/db": false} {
		if got := Missing(from(t, web), append(rest, declared)); (len(got) == 0) != want {
			t.Errorf("%s: %s", declared, lines(got))
		}
	}
}

func TestMissingElsewhere(t *testing.T) {
	text := `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {cert-manager.io/cluster-issuer: x}}
spec:
  tls: [{secretName: made}]
  rules: [{host: a, http: {paths: [{path: /, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {kind: Deployment, name: none}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {rules: [{backendRefs: [{name: web}, {name: far, namespace: other}, {kind: X, name: y}]}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec: {serviceName: db, template: {spec: {serviceAccountName: default, containers: [{name: db}]}}}
`
	want := "Ingress web: names Service web, which is not there\nHorizontalPodAutoscaler web: names Deployment none, which is not there\nHTTPRoute web: names Service web, which is not there\nStatefulSet db: names Service db, which is not there"
	if got := lines(Missing(from(t, text), nil)); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestLost(t *testing.T) {
	target := strings.NewReplacer("- {name: A, value: a}", "- {name: B, value: b}", "      - {name: data, persistentVolumeClaim: {claimName: data}}\n", "").Replace(web)
	want := "Deployment shop/web: has no volume data, as the source has\nDeployment shop/web: has no environment variable A in container web, as the source has"
	if got := lines(Lost(from(t, web), from(t, target), nil)); got != want {
		t.Errorf("got\n%s", got)
	}
	if got := Lost(from(t, web), from(t, target), []string{"dat*", "A"}); len(got) != 0 {
		t.Error(lines(got))
	}
	if got := Lost(from(t, web), from(t, strings.Replace(web, "name: web, namespace", "name: other, namespace", 1)), nil); len(got) != 0 {
		t.Error(lines(got))
	}
}

func ExampleMissing() {
	pod := objects.Of(map[string]any{"kind": "Pod", "metadata": map[string]any{"name": "web"},
		"spec": map[string]any{"serviceAccountName": "web", "containers": []any{map[string]any{"name": "web"}}}})
	for _, f := range Missing([]objects.Object{pod}, nil) {
		fmt.Println(f)
	}
	// Output: Pod web: names ServiceAccount web, which is not there
}

// Each workload was looked for among all of the source: 10,000 objects in one overlay had no
// answer in two minutes.
func TestLostAmongMany(t *testing.T) {
	const many = 20_000
	var source, target []objects.Object
	for n := range many {
		for _, side := range []struct {
			all *[]objects.Object
			env []any
		}{{&source, []any{map[string]any{"name": "MODE", "value": "x"}}}, {&target, nil}} {
			containers := []any{map[string]any{"name": "app", "env": side.env}}
			*side.all = append(*side.all, objects.Of(map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": fmt.Sprint("web", n)},
				"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": containers}}}}))
		}
	}
	start := time.Now()
	if found := Lost(source, target, nil); len(found) != many || time.Since(start) > 20*time.Second {
		t.Errorf("%d are found in %s", len(found), time.Since(start))
	}
}
