package buildcmd

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/objects"
	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
)

// serviceDir is the directory with the kustomization of a service. Of one that has none, but
// is a chart, plain objects or what Argo CD or Flux install, the objects are given, as gates
// are told of them.
func (o *options) serviceDir(ctx context.Context, d *demands, p *promote.Promoter, service string) (string, []objects.Object, error) {
	overlay := p.Pipeline.OverlayPath(service, d.environment)
	full := filepath.Join(d.repo.Root(), filepath.FromSlash(overlay))
	if isKustomization(full) {
		return full, nil, nil
	}
	known, err := p.Pipeline.Sites(p.Repo).All(d.environment)
	if err != nil {
		return "", nil, err
	}
	if _, ok := known[service]; !ok {
		if info, err := os.Stat(full); err == nil && info.IsDir() {
			return full, nil, nil // which says what it lacks
		}
		return "", nil, &cli.UsageError{Msg: "no overlay of " + service + " in " + d.environment + ": " + overlay + " is not a directory", Hint: "kubectl promote status"}
	}
	all, err := o.session.Renderer.Of(ctx, p.Repo, service, d.environment)
	return full, all, err
}

// resources are objects as kustomize has them.
func resources(all []objects.Object) (resmap.ResMap, error) {
	var text bytes.Buffer
	for n := range all {
		data, err := json.Marshal(all[n].Fields)
		if err != nil {
			return nil, err
		}
		text.WriteString("---\n")
		text.Write(append(data, '\n'))
	}
	m, err := resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()).NewResMapFromBytes(text.Bytes())
	if err != nil {
		return nil, &promote.Error{Msg: "kustomize", Err: err}
	}
	return m, nil
}
