package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/internal/kinds"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod is what is read of one.
type pod struct {
	Metadata struct {
		Name              string
		DeletionTimestamp string
	}
	Spec struct {
		InitContainers, Containers []container
	}
	Status struct {
		Phase                                    string
		Conditions                               []condition
		InitContainerStatuses, ContainerStatuses []containerStatus
	}
	// template tells that it is none yet, but what those will be that are made.
	template bool
}

type container struct{ Name, Image string }

type condition struct {
	Type, Status       string
	LastTransitionTime time.Time
}

type containerStatus struct {
	Name, ImageID string
	State         struct {
		Waiting *struct{ Reason, Message string }
	}
}

// counts tells whether a pod is one of those that a workload has now.
func (p *pod) counts(kind string) bool {
	return p.Metadata.DeletionTimestamp == "" && p.Status.Phase != "Failed" && (p.Status.Phase != "Succeeded" || kind == "Job" || kind == "Pod")
}

// ready is since when a pod has been ready; zero where it is not.
func (p *pod) ready() time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == "Ready" && c.Status == "True" {
			return c.LastTransitionTime
		}
	}
	return time.Time{}
}

// trouble is what keeps a container of the pod from running; empty where nothing does.
func (p *pod) trouble() string {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && w.Reason != "" && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating" {
			text := fmt.Sprintf("pod %s: %s", fault.Shorten(p.Metadata.Name), fault.OneLine(w.Reason))
			if w.Message != "" {
				text += ": " + fault.OneLine(w.Message)
			}
			return text
		}
	}
	return ""
}

// selectorOf chooses the pods of a workload; false for a kind that has none of its own.
func selectorOf(kind string, o object) (string, bool, error) {
	if text := o.text("status", "selector"); kind == "Rollout" && text != "" {
		return text, true, nil
	}
	raw, ok := o.at("spec", "selector").(map[string]any)
	if !ok || slices.Contains([]string{"PersistentVolumeClaim", "PodDisruptionBudget"}, kind) {
		return "", false, nil
	}
	if raw["matchLabels"] == nil && raw["matchExpressions"] == nil {
		return "", false, nil // a Service's, or what an own kind chooses otherwise
	}
	text, err := json.Marshal(raw)
	var labels metav1.LabelSelector
	if err == nil {
		err = json.Unmarshal(text, &labels)
	}
	if err != nil {
		return "", false, err
	}
	chosen, err := metav1.LabelSelectorAsSelector(&labels)
	if err != nil || chosen.Empty() {
		return "", false, err
	}
	return chosen.String(), true, nil
}

// podsOf reads the pods of an object; false for one that has none of its own.
func (c *connection) podsOf(ctx context.Context, kind string, o object) ([]pod, bool, error) {
	r, _ := kinds.Of("Pod")
	if kind == "Pod" {
		var one pod
		text, err := json.Marshal(o)
		if err == nil {
			err = json.Unmarshal(text, &one)
		}
		return []pod{one}, true, err
	}
	if kind == "CronJob" { // its pods come and go: what it makes is what counts
		one := pod{template: true}
		one.Metadata.Name = "of its template"
		text, err := json.Marshal(o.at("spec", "jobTemplate", "spec", "template", "spec"))
		if err == nil {
			err = json.Unmarshal(text, &one.Spec)
		}
		return []pod{one}, true, err
	}
	selector, ok, err := selectorOf(kind, o)
	if err != nil || !ok {
		return nil, false, err
	}
	all, err := list[pod](ctx, c, resource{r, "Pod"}, o.namespace(), selector)
	all = slices.DeleteFunc(all, func(p pod) bool { return !p.counts(kind) })
	return all, true, err
}

// Image is one that pods must run.
type Image struct {
	// Name is what it is called in messages.
	Name string
	// Repository is where it comes from; empty where that is not known.
	Repository string
	// Digest is that of the image or the index that the pods are to have.
	Digest string
}

// running compares what containers run with what they must: each image runs somewhere, and
// nothing else of its repository does. A container whose image is named by a digest runs
// that; of any other its status says what it has become. at is the pod that is not as it
// must be, or -1.
func running(images []Image, pods []pod) (s state, at int) {
	wanted := make(map[string][]string) // digests by repository
	for _, i := range images {
		if i.Repository != "" {
			wanted[familiar(i.Repository)] = append(wanted[familiar(i.Repository)], i.Digest)
		}
	}
	found := make(map[string]bool)
	for n, p := range pods {
		for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
			repository, digests := p.runs(c)
			is := func(digest string) bool { return slices.Contains(digests, digest) }
			for _, i := range images {
				if is(i.Digest) {
					found[i.Digest] = true
				}
			}
			switch all := wanted[repository]; {
			case len(all) == 0 || slices.ContainsFunc(all, is):
			case p.template && len(digests) == 0:
				return untold("pod %s: container %s has a tag alone, and nobody can tell what that is", p.Metadata.Name, fault.Shorten(c.Name)), n
			default:
				return progressing("pod %s: container %s runs %s, and not %s", fault.Shorten(p.Metadata.Name), fault.Shorten(c.Name), shorts(digests), shorts(all)), n
			}
		}
	}
	for _, i := range images {
		if !found[i.Digest] {
			return progressing("none of the pods runs image %q, %s", fault.Shorten(i.Name), shorts([]string{i.Digest})), -1
		}
	}
	return state{answer: promote.Pass}, -1
}

// runs gives the repository of a container's image, and the digests that it has there: of
// an index and of what was taken from it. There is none while the container has not begun.
func (p *pod) runs(c container) (repository string, digests []string) {
	name, digest, _ := strings.Cut(c.Image, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	if p.template && digest != "" {
		digests = append(digests, digest)
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if s.Name != c.Name || s.ImageID == "" {
			continue
		}
		if digest != "" {
			digests = append(digests, digest)
		}
		if _, id, found := strings.Cut(s.ImageID, "@"); found {
			digests = append(digests, id)
		}
	}
	return familiar(name), digests
}

// familiar is a repository as people write it: nginx for docker.io/library/nginx.
func familiar(repository string) string {
	for _, host := range []string{"docker.io/", "index.docker.io/"} {
		if rest, found := strings.CutPrefix(repository, host); found {
			return strings.TrimPrefix(rest, "library/")
		}
	}
	return repository
}

// shorts are digests as messages have them.
func shorts(digests []string) string {
	if len(digests) == 0 {
		return "nothing yet"
	}
	var out []string
	for _, d := range digests {
		if s := (promote.Pin{Digest: d}).Short(); !slices.Contains(out, s) {
			out = append(out, fault.Shorten(s))
		}
	}
	return strings.Join(out, " or ")
}
