package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/promote/objects"
	quantities "k8s.io/apimachinery/pkg/api/resource"
)

// fieldManager is who dry runs are made as.
const fieldManager = "kubectl-promote"

// Desired are objects as Git has them, and where they are.
type Desired struct {
	// Context is one of the kubeconfig; empty for the current one.
	Context string
	// Namespace is that of objects that name none, nor does the release that they are of; by
	// default the context's.
	Namespace string
	Objects   []objects.Object
	// Appliers are field managers that apply what Git has, beside those that are known.
	Appliers []string
	// Contexts, if not nil, gives the contexts of the cluster that Argo CD or Flux knows by a
	// name or by the address of its server.
	Contexts func(cluster string) []string
}

// Drift is how live objects differ from those that Git has.
type Drift struct {
	// Context is the one that was asked; empty for the cluster around this process.
	Context string
	// Differences have Git's side as the old one and the live one as the new one. An object
	// that is not there has neither a new one nor changes.
	Differences []objects.Difference
	// Skipped are objects that are not looked at, and why, a line each.
	Skipped []string
}

// Drift compares objects with the live ones. For each the API server is asked what applying
// it would make of the live one, which writes nothing: what is not so is different. So is
// what others than those who apply have added, which no dry run shows. Defaults, the status
// and what controllers of Kubernetes add are not.
//
// Objects that could not be compared are in the error, each once, beside the others'
// differences.
func (c *Clusters) Drift(ctx context.Context, q Desired) (Drift, error) {
	con, err := c.connect(q.Context)
	if err != nil {
		return Drift{}, err
	}
	out := Drift{Context: con.context}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := objects.Flatten(q.Objects)
	found, faults := make([]*objects.Difference, len(all)), make([]error, len(all))
	var wait sync.WaitGroup
	places := make(chan struct{}, sideBySide)
	for n := range all {
		if why := skipped(&all[n]); why != "" {
			out.Skipped = append(out.Skipped, why)
			continue
		}
		places <- struct{}{}
		wait.Go(func() {
			defer func() { <-places }()
			if faults[n] = con.elsewhere(all[n].Release, q.Contexts); faults[n] != nil {
				return
			}
			if found[n], faults[n] = con.drift(ctx, &all[n], q); faults[n] != nil {
				if e, ok := errors.AsType[*Error](faults[n]); ok && e.whole {
					stop(e)
				}
			}
		})
	}
	wait.Wait()
	if e, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
		return out, e
	}
	for _, d := range found {
		if d != nil {
			out.Differences = append(out.Differences, *d)
		}
	}
	return out, joined(faults)
}

// elsewhere tells of a release that is installed in another cluster, or of which nobody can tell.
// The name that Argo CD has for a cluster is no context: that the two are alike says nothing.
func (c *connection) elsewhere(r *objects.Release, contexts func(string) []string) error {
	if r != nil && r.ClusterOf != "" {
		return &Error{Msg: fmt.Sprintf("%s installs in the cluster that its %s says, and whether that is context %q cannot be told: its objects are not compared", r.By, r.ClusterOf, c.context),
			Hint: "kubectl promote build SERVICE --env ENVIRONMENT | kubectl diff --kubeconfig FILE -f -"}
	}
	if r == nil || r.Cluster == "" || r.Cluster == strings.TrimSuffix(c.base.String(), "/") {
		return nil
	}
	var known []string
	if contexts != nil {
		known = contexts(r.Cluster)
	}
	switch {
	case slices.Contains(known, c.context):
		return nil
	case len(known) > 0:
		return &Error{Msg: fmt.Sprintf("%s installs in cluster %s, which is context %q, and not %q: its objects are not compared", r.By, fault.Shorten(r.Cluster), known[0], c.context), Hint: "--context " + known[0]}
	}
	return &Error{Msg: fmt.Sprintf("%s installs in cluster %s, and whether that is context %q cannot be told: its objects are not compared", r.By, fault.Shorten(r.Cluster), c.context),
		Hint: fmt.Sprintf("clusters: {%s: [%s]} in spec of the pipeline file, if that is its cluster", cmp.Or(c.context, "CONTEXT"), fault.Shorten(r.Cluster))}
}

// joined are errors, each once.
func joined(all []error) error {
	var out []error
	for _, err := range all {
		if err != nil && !slices.ContainsFunc(out, func(o error) bool { return o.Error() == err.Error() }) {
			out = append(out, err)
		}
	}
	return errors.Join(out...)
}

// skipped says why an object is not looked at; "" where it is.
func skipped(o *objects.Object) string {
	meta := objects.Map(o.Fields["metadata"])
	if o.Name == "" {
		return o.Kind + " without a name is not looked at: each apply makes another"
	}
	for _, hook := range []string{"argocd.argoproj.io/hook", "helm.sh/hook"} {
		if value, ok := objects.Map(meta["annotations"])[hook]; ok {
			return fmt.Sprintf("%s is not looked at: it is a hook (%s)", o, objects.Text(value))
		}
	}
	return ""
}

// drift compares one object; nil where nothing differs.
func (c *connection) drift(ctx context.Context, o *objects.Object, q Desired) (*objects.Difference, error) {
	r, err := c.resourceOf(ctx, o.APIVersion, o.Kind)
	if err != nil {
		return nil, err
	}
	namespace := cmp.Or(q.Namespace, c.namespace)
	if o.Release != nil {
		namespace = cmp.Or(o.Release.Namespace, namespace)
	}
	namespace = cmp.Or(o.Namespace, namespace)
	at := append(r.path(namespace), o.Name)
	live, err := c.fields(ctx, http.MethodGet, at, nil, nil, o)
	if err != nil {
		err = c.cannot(err, o.String(), c.canI("get", r, namespace))
		if e, ok := errors.AsType[*Error](err); ok && e.absent {
			return &objects.Difference{Old: o}, nil
		}
		return nil, err
	}
	body, err := applied(o, r)
	if err != nil {
		return nil, err
	}
	dry, err := c.fields(ctx, http.MethodPatch, at, url.Values{"dryRun": {"All"}, "force": {"true"}, "fieldManager": {fieldManager}}, body, o)
	if err != nil {
		return nil, c.refused(err, o, r, namespace)
	}
	return compared(o, dry, live, q.Appliers), nil
}

// fields asks for an object, and gives its fields with numbers as they are written.
func (c *connection) fields(ctx context.Context, method string, at []string, query url.Values, send []byte, o *objects.Object) (map[string]any, error) {
	var raw json.RawMessage
	if err := c.ask(ctx, method, at, query, send, &raw); err != nil {
		return nil, err
	}
	fields, _ := decoded(raw) // what is no object is none that was asked for
	return fields, object(fields).isNot(o.Kind, o.Name)
}

// applied is an object as it is sent.
func applied(o *objects.Object, r resource) ([]byte, error) {
	fields := maps.Clone(o.Fields)
	meta := maps.Clone(objects.Map(fields["metadata"]))
	delete(meta, "managedFields")
	if r.ClusterWide {
		delete(meta, "namespace")
	}
	fields["metadata"] = meta
	return json.Marshal(fields)
}

// refused is the error of a dry run. What is said of a Secret may have its values.
func (c *connection) refused(err error, o *objects.Object, r resource, namespace string) error {
	e, answered := errors.AsType[*answerError](err)
	switch {
	case !answered || e.status == http.StatusUnauthorized || e.status == http.StatusForbidden && e.reason == "Forbidden":
		return c.cannot(err, o.String(), c.canI("patch", r, namespace))
	case o.Kind == "Secret":
		return &Error{Msg: fmt.Sprintf("%s: %s cannot be compared: applying it would be refused (%d)", c.where(), o, e.status), Err: err}
	}
	return &Error{Msg: fmt.Sprintf("%s: %s cannot be compared: applying it would be refused: %v", c.where(), o, e), Err: err}
}

// compared gives what of a live object is not as it would be if it were applied, and what
// others have added to it.
func compared(o *objects.Object, dry, live map[string]any, more []string) *objects.Difference {
	all := managers(live)
	bare(dry)
	bare(live)
	git := declared(o)
	for n := range all {
		if all[n].stranger(more) {
			withhold(dry, git, all[n].FieldsV1)
		}
	}
	old, now := objects.Of(dry), objects.Of(live)
	old.Places, now.Places = o.Places, o.Places
	for _, d := range objects.Compare([]objects.Object{old}, []objects.Object{now}, objects.ByName) {
		d.Changes = slices.DeleteFunc(d.Changes, func(c objects.Change) bool { return o.Kind != "ConfigMap" && sameQuantity(c) })
		for n, c := range d.Changes {
			if c.New != nil {
				d.Changes[n].By = owner(all, live, c.Path, more)
			}
		}
		if len(d.Changes) > 0 {
			return &d
		}
	}
	return nil
}

// bare takes out of an object what is the server's own to say.
func bare(o map[string]any) {
	delete(o, "status")
	meta := objects.Map(o["metadata"])
	for _, name := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"} {
		delete(meta, name)
	}
	notes := objects.Map(meta["annotations"])
	delete(notes, "kubectl.kubernetes.io/last-applied-configuration")
	if notes != nil && len(notes) == 0 {
		delete(meta, "annotations")
	}
}

// declared are an object's fields under the names that the server keeps them by.
func declared(o *objects.Object) map[string]any {
	texts := objects.Map(o.Fields["stringData"])
	if o.Kind != "Secret" || len(texts) == 0 {
		return o.Fields
	}
	fields := maps.Clone(o.Fields)
	data := make(map[string]any)
	maps.Copy(data, objects.Map(fields["data"]))
	maps.Copy(data, texts)
	fields["data"] = data
	return fields
}

// measured are fields that have them.
var measured = []string{"requests", "limits", "capacity", "hard"}

// sameQuantity tells whether values are one quantity, written in two ways. The server brings
// those of its own kinds into one form; others are as they were written.
func sameQuantity(c objects.Change) bool {
	if c.Old == nil || c.New == nil || !slices.ContainsFunc(c.Path, func(step string) bool { return slices.Contains(measured, step) }) {
		return false
	}
	a, err1 := quantity(c.Old)
	b, err2 := quantity(c.New)
	return err1 == nil && err2 == nil && a.Cmp(b) == 0
}

func quantity(v any) (quantities.Quantity, error) {
	text := strings.Trim(objects.Text(v), `"`)
	if len(text) > 64 {
		return quantities.Quantity{}, errors.New("too long")
	}
	return quantities.ParseQuantity(text)
}
