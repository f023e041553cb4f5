// Package cluster tests the health gate against a real API server of Kubernetes. There are
// no controllers and no nodes: the tests write into objects what those would, under the
// published schemas of Argo CD, Argo Rollouts and Flux.
package cluster_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/e2e/internal/peers"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

var (
	// product is kubectl-promote.
	product string
	// environment is the API server, and admin who may do everything there.
	environment *envtest.Environment
	admin       client.Client
)

// schemas are the published modules that have the schemas of what others install. There is
// none of Flux' HelmRelease: helm.yaml has the fields that its documentation has.
var schemas = []struct{ module, version, sum, file string }{
	{"github.com/argoproj/argo-cd/v3", "v3.3.0", "h1:9UlruTd5cC/MyvorTXgAIblfZTy63MF5FYvvoAaUvwU=", "manifests/crds/application-crd.yaml"},
	{"github.com/argoproj/argo-cd/v3", "v3.3.0", "h1:9UlruTd5cC/MyvorTXgAIblfZTy63MF5FYvvoAaUvwU=", "manifests/crds/appproject-crd.yaml"},
	{"github.com/argoproj/argo-rollouts", "v1.8.3", "h1:blbtQva4IK9r6gFh+dWkCrLnFdPOWiv9ubQYu36qeaA=", "manifests/crds/rollout-crd.yaml"},
	{"github.com/fluxcd/kustomize-controller", "v1.7.3", "h1:SzNnGn/4ObAPEHHleM5U7y/AKxKXph3Vj6ZhteeXw8M=", "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"},
}

// startLimit is how long the server may take to start or end: three seconds, or some minutes on a
// machine that has much else to do.
const startLimit = 5 * time.Minute

func TestMain(m *testing.M) {
	if runtime.GOOS == "windows" {
		fmt.Println("skipped: the API server of Kubernetes does not run on Windows")
		return
	}
	status, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func run(m *testing.M) (status int, err error) {
	ctx := context.Background()
	bin, err := peers.Build(ctx, os.Stderr, peers.APIServer, peers.Etcd, peers.Product)
	if err != nil {
		return 1, err
	}
	product = filepath.Join(bin, peers.Product)
	crds := []string{"testdata/helm.yaml", "testdata/widget.yaml"}
	for _, s := range schemas {
		dir, err := peers.Module(ctx, s.module, s.version, s.sum)
		if err != nil {
			return 1, err
		}
		crds = append(crds, filepath.Join(dir, filepath.FromSlash(s.file)))
	}
	environment = &envtest.Environment{BinaryAssetsDirectory: bin, ControlPlaneStartTimeout: startLimit, ControlPlaneStopTimeout: startLimit, CRDInstallOptions: envtest.CRDInstallOptions{Paths: crds, ErrorIfPathMissing: true, MaxTime: startLimit}}
	config, err := environment.Start()
	if err != nil {
		return 1, err
	}
	defer func() {
		if serr := environment.Stop(); err == nil {
			err = serr
		}
	}()
	if admin, err = client.New(config, client.Options{}); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// parse reads one object.
func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return o
}

// create makes an object as people do, and then writes its status as a controller does.
func create(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := parse(t, text)
	status := o.Object["status"]
	if err := admin.Create(t.Context(), o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if status == nil {
		return o
	}
	setStatus(t, o, status)
	return o
}

// setStatus writes a status. That of an Application is no resource of its own.
func setStatus(t *testing.T, o *unstructured.Unstructured, status any) {
	t.Helper()
	o.Object["status"] = status
	err := admin.Status().Update(t.Context(), o)
	if o.GetKind() == "Application" {
		o.Object["status"] = status
		err = admin.Update(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// namespace makes one for a test.
func namespace(t *testing.T, name string) string {
	t.Helper()
	create(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+name+"}}")
	return name
}

// kubeconfig writes one for a user of the server, with some contexts, and gives its path.
func kubeconfig(t *testing.T, config *rest.Config, namespace string, contexts ...string) string {
	t.Helper()
	user := map[string]any{"token": config.BearerToken}
	if config.BearerToken == "" {
		user = map[string]any{"client-certificate-data": config.CertData, "client-key-data": config.KeyData}
	}
	return writeKubeconfig(t, config, namespace, user, contexts...)
}

func writeKubeconfig(t *testing.T, config *rest.Config, namespace string, user map[string]any, contexts ...string) string {
	t.Helper()
	var list []any
	for _, name := range contexts {
		list = append(list, map[string]any{"name": name, "context": map[string]any{"cluster": "c", "user": "u", "namespace": namespace}})
	}
	server := config.Host
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": contexts[0], "contexts": list,
		"clusters": []any{map[string]any{"name": "c", "cluster": map[string]any{"server": server, "certificate-authority-data": config.CAData}}},
		"users":    []any{map[string]any{"name": "u", "user": user}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
