package kustomize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/spelling"
	"github.com/kubepromote/kubepromote/overlay"
	validation "k8s.io/kube-openapi/pkg/validation/errors"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Processor runs functions on a ResourceList. It is made by [Host.Processor].
type Processor struct {
	host *Host
	ctx  context.Context // for one call of a program; the framework has no other way
	// changed tells whether any item differs from what was read.
	changed bool
}

var _ framework.ResourceListProcessor = (*Processor)(nil)

// Processor gives what the framework calls to run a function: the one that the
// list's functionConfig names by its kind, or a ConfigMap by its key kind.
func (h *Host) Processor(ctx context.Context) *Processor {
	h.connect()
	return &Processor{host: h, ctx: ctx}
}

// Changed tells whether the last list that was processed has other items now.
func (p *Processor) Changed() bool { return p.changed }

// Process runs a function. All that it finds is in the list's results; where that
// is an error, the items are as they were and the error is a *[Refused].
func (p *Processor) Process(list *framework.ResourceList) error {
	p.changed = false
	if err := p.process(list); err != nil {
		list.Results = append(list.Results, configResults(list.FunctionConfig, err)...)
	}
	if list.Results.ExitCode() != 0 {
		return &Refused{Results: list.Results}
	}
	return nil
}

func (p *Processor) process(list *framework.ResourceList) error {
	if p.host == nil {
		return errors.New("the processor has no host: make it with Host.Processor")
	}
	config, errs := configuration(list.FunctionConfig)
	if len(errs) > 0 {
		return join(errs)
	}
	if err := checkItems(list.Items); err != nil {
		return err
	}
	given := list.FunctionConfig
	list.FunctionConfig = config
	defer func() { list.FunctionConfig = given }()
	api := &framework.VersionedAPIProcessor{FilterProvider: framework.FilterProviderFunc(p.function)}
	return api.Process(list)
}

// function gives the function of a kind.
func (p *Processor) function(apiVersion, kind string) (kio.Filter, error) {
	r := run{ctx: p.ctx, host: p.host, kind: kind, changed: &p.changed}
	switch kind {
	case kindPinImages:
		return &pinImages{run: r}, nil
	case kindSetImages:
		return &setImages{run: r}, nil
	case kindVerifyImages:
		return &verifyImages{run: r}, nil
	case kindPromotionGuard:
		return &promotionGuard{run: r}, nil
	case kindImageInventory:
		return &imageInventory{run: r}, nil
	}
	return nil, fmt.Errorf("there is no function %q in %s", kind, apiVersion)
}

// configuration checks a configuration before the framework reads it: what it says
// of a field that it does not know is of no help.
func configuration(n *yaml.RNode) (*yaml.RNode, []*fieldError) {
	if n.IsNilOrEmpty() || n.YNode().Kind != yaml.MappingNode {
		return nil, []*fieldError{{"functionConfig", "is missing", "apiVersion: " + configVersion + ", and kind: " + strings.Join(Kinds(), ", ")}}
	}
	apiVersion, kind := n.GetApiVersion(), n.GetKind()
	if apiVersion == "v1" && kind == "ConfigMap" {
		var errs []*fieldError
		if n, errs = fromConfigMap(n); len(errs) > 0 {
			return nil, errs
		}
		kind = n.GetKind()
	} else if apiVersion != configVersion {
		return nil, []*fieldError{{"apiVersion", "is " + quoted(apiVersion) + ", and must be " + configVersion, ""}}
	}
	if !slices.Contains(Kinds(), kind) {
		return nil, []*fieldError{{"kind", "there is no function " + quoted(kind), spelling.Meant(kind, Kinds())}}
	}
	schema, err := schemaOf(kind)
	if err != nil {
		return nil, []*fieldError{{"kind", err.Error(), ""}}
	}
	return n, check(n.YNode(), schema)
}

func join[E error](errs []E) error {
	var all []error
	for _, err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// maxItems bounds how many objects a function takes.
const maxItems = 1 << 20

// checkItems refuses what is no Kubernetes object.
func checkItems(items []*yaml.RNode) error {
	if len(items) > maxItems {
		return fmt.Errorf("%d items are more than the %d that a function takes", len(items), maxItems)
	}
	for i, it := range items {
		path := fmt.Sprintf("items[%d]", i)
		switch {
		case it.IsNilOrEmpty() || it.YNode().Kind != yaml.MappingNode:
			return &fieldError{path, "is no Kubernetes object", ""}
		case it.GetKind() == "" || it.GetApiVersion() == "":
			return &fieldError{path, "has no apiVersion and kind, and is no Kubernetes object", ""}
		}
	}
	return nil
}

// configResults makes a result of each error that is about the configuration or
// the list as a whole.
func configResults(config *yaml.RNode, err error) framework.Results {
	var composite *validation.CompositeError // what the framework makes of several
	var joined interface{ Unwrap() []error }
	var parts []error
	if errors.As(err, &composite) {
		parts = composite.Errors
	} else if errors.As(err, &joined) {
		parts = joined.Unwrap()
	}
	if len(parts) > 0 {
		var all framework.Results
		for _, e := range parts {
			all = append(all, configResults(config, e)...)
		}
		return all
	}
	f := finding{severity: framework.Error, message: err.Error()}
	var hinted interface{ HintText() string }
	if errors.As(err, &hinted) {
		f.hint = hinted.HintText()
	}
	if config.IsNilOrEmpty() || config.YNode().Kind != yaml.MappingNode {
		config = nil
	}
	kind := ""
	if config != nil {
		kind = config.GetKind()
	}
	r := itemResult(kind, config, f)
	var field *fieldError
	if errors.As(err, &field) && config != nil && !strings.HasPrefix(field.path, "items[") {
		r.Field, r.Message = &framework.Field{Path: field.path}, oneLine(field.msg)
	}
	return framework.Results{r}
}

// run is what one call of a function has at hand.
type run struct {
	ctx     context.Context
	host    *Host
	kind    string
	changed *bool
}

// scope says which images a function is about. It is part of most configurations.
type scope struct {
	// Fields are paths of images that are in no pod spec.
	Fields []string `json:"fields,omitempty" yaml:"fields,omitempty"`
	// Ignore are repositories that are left alone; see matches for their form.
	Ignore []string `json:"ignore,omitempty" yaml:"ignore,omitempty"`
}

// validate checks the paths before anything is read.
func (s scope) validate() error {
	var errs []error
	for i, path := range s.Fields {
		if _, err := (overlay.Options{Images: []string{path}}).Parse("fields", []byte("kind: X\n")); err != nil {
			_, why, _ := strings.Cut(err.Error(), ": ")
			errs = append(errs, &fieldError{fmt.Sprintf("spec.fields[%d]", i), why, "spec.image, spec.steps[*].image"})
		}
	}
	for i, p := range s.Ignore {
		if strings.Trim(p, "*/") == "" {
			errs = append(errs, &fieldError{fmt.Sprintf("spec.ignore[%d]", i), quoted(p) + " would leave out every image", "name a registry or a repository"})
		}
	}
	return errors.Join(errs...)
}

// images finds the images that a function is about. One that is no reference is
// refused: nobody can tell what runs there.
func (r *run) images(items []*yaml.RNode, s scope) (images []*image, results framework.Results) {
	for _, item := range items {
		found, err := findImages(item, s.Fields)
		if err != nil {
			f := refuse("malformed", "the declared fields cannot be looked for: "+err.Error())
			results = append(results, itemResult(r.kind, item, f))
			continue
		}
		for _, i := range found {
			if matches(i.ref().repository, s.Ignore) {
				continue
			}
			if why := fault(i.text); why != "" {
				f := refuse("malformed", fmt.Sprintf("image %s is no image reference: %s", quoted(i.text), why))
				if r.kind == kindVerifyImages {
					f.answer = Unknown // nobody can say what runs there
				}
				results = append(results, f.result(r.kind, i))
				continue
			}
			images = append(images, i)
		}
	}
	return images, results
}

// finish gives items and results back in the way that the framework has.
func finish(items []*yaml.RNode, results framework.Results) ([]*yaml.RNode, error) {
	if len(results) == 0 {
		return items, nil
	}
	return items, results
}

// quoted shows a text from elsewhere: in quotes, and not too long.
func quoted(s string) string {
	if len(s) > maxMessage/4 {
		s = strings.ToValidUTF8(s[:maxMessage/4], "") + "…"
	}
	return strconv.Quote(s)
}
