package resources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

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
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		numbers := json.NewDecoder(bytes.NewReader(data))
		numbers.UseNumber()
		if err := numbers.Decode(&fields); err != nil {
			t.Fatal(err)
		}
		out = append(out, objects.Of(fields))
	}
}

func deployment(spec, container string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {" + spec + " template: {spec: {containers: [{name: web, " + container + "}]}}}\n---\n"
}

func TestLost(t *testing.T) {
	budget := "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {"
	scaler := "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec: {scaleTargetRef: {kind: Deployment, name: web}, minReplicas: "
	for name, tc := range map[string]struct{ old, now, want string }{
		"the image alone":      {deployment("replicas: 2,", "image: a"), deployment("replicas: 2,", "image: b"), ""},
		"replicas":             {deployment("replicas: 3,", "image: a"), deployment("replicas: 2,", "image: a"), "spec.replicas is lowered from 3 to 2"},
		"more replicas":        {deployment("replicas: 3,", "image: a"), deployment("replicas: 4,", "image: a"), ""},
		"no replicas":          {deployment("replicas: 3,", "image: a"), deployment("", "image: a"), "spec.replicas 3 would be gone"},
		"an autoscaler's":      {deployment("replicas: 3,", "image: a"), deployment("", "image: a") + scaler + "2}", ""},
		"a limit lost":         {deployment("", "resources: {limits: {cpu: 1}}"), deployment("", "resources: {}"), "spec.template.spec.containers[name=web].resources.limits.cpu 1 would be gone"},
		"a limit lowered":      {deployment("", "resources: {limits: {memory: 1Gi}}"), deployment("", "resources: {limits: {memory: 512Mi}}"), "resources.limits.memory is lowered from 1Gi to 512Mi"},
		"a limit otherwise":    {deployment("", "resources: {limits: {memory: 1Gi, cpu: 1}}"), deployment("", "resources: {limits: {memory: 1024Mi, cpu: 1000m}}"), ""},
		"a limit that is none": {deployment("", "resources: {limits: {memory: 1Gi}}"), deployment("", "resources: {limits: {memory: lots}}"), "changes from 1Gi to lots, which cannot be compared"},
		"an exponent":          {deployment("", "resources: {limits: {memory: 2e3}}"), deployment("", "resources: {limits: {memory: '1e03'}}"), "is lowered from 2000 to 1e03"},
		// It took hours and all memory.
		"a huge exponent":    {deployment("", "resources: {limits: {memory: 1Gi}}"), deployment("", "resources: {limits: {memory: '1e100000000'}}"), "changes from 1Gi to 1e100000000, which cannot be compared"},
		"a tiny one":         {deployment("", "resources: {limits: {memory: '1E-100000000'}}"), deployment("", "resources: {limits: {memory: 1Gi}}"), "changes from 1E-100000000 to 1Gi, which cannot be compared"},
		"many digits":        {budget + "minAvailable: '" + strings.Repeat("9", 100) + "%'}", budget + "minAvailable: 25%}", "which cannot be compared"},
		"a request":          {deployment("", "resources: {requests: {cpu: 200m}}"), deployment("", "resources: {requests: {cpu: 100m}}"), "requests.cpu is lowered from 200m to 100m"},
		"a probe":            {deployment("", "readinessProbe: {httpGet: {port: 80}}"), deployment("", "image: x"), "readinessProbe would be gone"},
		"another probe":      {deployment("", "readinessProbe: {httpGet: {port: 80}}"), deployment("", "readinessProbe: {httpGet: {port: 81}}"), ""},
		"not root":           {deployment("", "securityContext: {runAsNonRoot: true}"), deployment("", "securityContext: {runAsNonRoot: false}"), "securityContext.runAsNonRoot is weakened from true to false"},
		"no context":         {deployment("", "securityContext: {runAsNonRoot: true, seccompProfile: {type: X}}"), deployment("", "image: x"), "securityContext.runAsNonRoot true would be gone\nsecurityContext.seccompProfile would be gone"},
		"root":               {deployment("", "securityContext: {runAsUser: 1000}"), deployment("", "securityContext: {runAsUser: 0}"), "securityContext.runAsUser is root, and was 1000"},
		"privileged":         {deployment("", "image: x"), deployment("", "securityContext: {privileged: true}"), "securityContext.privileged is weakened to true"},
		"capabilities":       {deployment("", "securityContext: {capabilities: {drop: [NET_RAW]}}"), deployment("", "securityContext: {capabilities: {add: [SYS_ADMIN]}}"), "capabilities.drop has no NET_RAW any more\ncapabilities.add has SYS_ADMIN, which is new"},
		"all dropped":        {deployment("", "securityContext: {capabilities: {drop: [NET_RAW]}}"), deployment("", "securityContext: {capabilities: {drop: [ALL]}}"), ""},
		"a container gone":   {deployment("", "resources: {limits: {cpu: 1}}"), strings.Replace(deployment("", "image: x"), "name: web,", "name: other,", 1), ""},
		"a workload gone":    {deployment("", "resources: {limits: {cpu: 1}}"), "", ""},
		"a budget gone":      {budget + "minAvailable: 2}", "", "PodDisruptionBudget web would be gone"},
		"a budget lowered":   {budget + "minAvailable: 50%}", budget + "minAvailable: 25%}", "spec.minAvailable is lowered from 50% to 25%"},
		"a budget otherwise": {budget + "minAvailable: 50%}", budget + "minAvailable: 60}", "changes from 50% to 60, which cannot be compared"},
		"a budget raised":    {budget + "maxUnavailable: 1}", budget + "maxUnavailable: 2}", "spec.maxUnavailable is raised from 1 to 2"},
		"an autoscaler":      {scaler + "2}", scaler + "1}", "spec.minReplicas is lowered from 2 to 1"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range Lost(from(t, tc.old), from(t, tc.now), nil) {
				got = append(got, f.String())
			}
			want := strings.Split(tc.want, "\n")
			if tc.want == "" {
				want = nil
			}
			if len(got) != len(want) {
				t.Fatalf("%q", got)
			}
			for n := range want {
				if !strings.HasSuffix(got[n], want[n]) {
					t.Errorf("%q", got)
				}
			}
		})
	}
}

// What is allowed is left out, and a field that is gone is told where it was.
func TestLostAllowed(t *testing.T) {
	old, now := from(t, deployment("replicas: 3,", "resources: {limits: {cpu: 1}}")), from(t, deployment("replicas: 1,", "image: x"))
	allowed, err := objects.ParseAllowed([]string{"Deployment/web:spec.replicas"})
	if err != nil {
		t.Fatal(err)
	}
	old[0].Places = func(objects.Path) objects.Place { return objects.Place{File: "old.yaml", Line: 7} }
	got := Lost(old, now, allowed)
	if len(got) != 1 || !strings.HasSuffix(got[0].String(), ".cpu 1 would be gone (old.yaml:7)") {
		t.Error(got)
	}
}

func ExampleLost() {
	web := func(replicas string) []objects.Object {
		return []objects.Object{objects.Of(map[string]any{"kind": "Deployment", "metadata": map[string]any{"name": "web"}, "spec": map[string]any{
			"replicas": json.Number(replicas), "template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "web"}}}}}})}
	}
	for _, f := range Lost(web("3"), web("1"), nil) {
		fmt.Println(f)
	}
	// Output: Deployment web: spec.replicas is lowered from 3 to 1
}
