package kustomize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/yamlbound"
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
	if err := p.process(list); errors.Is(err, ErrClosed) {
		return err
	} else if err != nil {
		list.Results = append(list.Results, configResults(list.FunctionConfig, err)...)
	}
	list.Results = fewer(list.Results)
	if list.Results.ExitCode() != 0 {
		return &Refused{Results: list.Results}
	}
	return nil
}

// maxResults bounds the results of a list: each takes kilobytes to write.
const maxResults = 1000

// fewer leaves out what is too much, refusals last of all, and says how much it is.
func fewer(results framework.Results) framework.Results {
	more := len(results) - maxResults
	if more <= 0 {
		return results
	}
	weight := func(r *framework.Result) int {
		switch {
		case r.Tags[tagAnswer] == string(No):
			return 0
		case r.Severity == framework.Error:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(results, func(a, b *framework.Result) int { return weight(a) - weight(b) })
	last := &framework.Result{Message: fmt.Sprintf("%d more results are left out", more), Severity: framework.Info, Tags: map[string]string{tagMore: strconv.Itoa(more)}}
	return append(results[:maxResults:maxResults], last)
}

func (p *Processor) process(list *framework.ResourceList) error {
	if p.host == nil {
		return errors.New("the processor has no host: make it with Host.Processor")
	}
	config, err := configuration(list.FunctionConfig)
	if err != nil {
		return err
	}
	if err := checkItems(list.Items); err != nil {
		return err
	}
	function := p.function(config.GetKind())
	if err := framework.LoadFunctionConfig(config, function); err != nil {
		return err
	}
	return list.Filter(function)
}

// function gives the function of a kind. The framework has a way to find it as well,
// which takes the quotes around a kind and the comment behind it for parts of it.
func (p *Processor) function(kind string) kio.Filter {
	r := run{ctx: p.ctx, host: p.host, kind: kind, changed: &p.changed}
	switch kind {
	case kindPinImages:
		return &pinImages{run: r}
	case kindSetImages:
		return &setImages{run: r}
	case kindVerifyImages:
		return &verifyImages{run: r}
	case kindPromotionGuard:
		return &promotionGuard{run: r}
	}
	return &imageInventory{run: r}
}

// configuration checks a configuration before the framework reads it: what it says
// of a field that it does not know is of no help.
func configuration(n *yaml.RNode) (*yaml.RNode, error) {
	if n.IsNilOrEmpty() || n.YNode().Kind != yaml.MappingNode {
		return nil, &fieldError{"functionConfig", "is missing", "apiVersion: " + configVersion + ", and kind: " + strings.Join(Kinds(), ", ")}
	}
	if err := sound(n.YNode(), "functionConfig"); err != nil {
		return nil, err
	}
	if s := (yamlbound.Survey{}); s.Size(n.YNode()) > maxConfig {
		return nil, &fieldError{"functionConfig", fmt.Sprintf("has more than %d values", maxConfig), "make several of it"}
	}
	apiVersion, kind := n.GetApiVersion(), n.GetKind()
	if apiVersion == "v1" && kind == "ConfigMap" {
		var err error
		if n, err = fromConfigMap(n); err != nil {
			return nil, err
		}
		kind = n.GetKind()
	} else if apiVersion != configVersion {
		return nil, &fieldError{"apiVersion", "is " + quoted(apiVersion) + ", and must be " + configVersion, ""}
	}
	schema, err := schemaOf("kind", kind)
	if err != nil {
		return nil, err
	}
	return n, check(n.YNode(), schema)
}

// maxConfig bounds how many values a configuration has.
const maxConfig = 1 << 16

// maxItems bounds how many objects a function takes.
const maxItems = 1 << 20

// checkItems refuses what is no Kubernetes object.
func checkItems(items []*yaml.RNode) error {
	if len(items) > maxItems {
		return fmt.Errorf("%d items are more than the %d that a function takes", len(items), maxItems)
	}
	for i, it := range items {
		path := fmt.Sprintf("items[%d]", i)
		if it != nil && it.YNode() != nil {
			if err := sound(it.YNode(), path); err != nil {
				return err
			}
		}
		switch {
		case it == nil || it.YNode() == nil || it.YNode().Kind != yaml.MappingNode:
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
	f := &finding{severity: framework.Error, message: err.Error(), hint: fault.HintOf(err)}
	if config.IsNilOrEmpty() || config.YNode().Kind != yaml.MappingNode {
		config = nil
	}
	r := itemResult(config.GetKind(), config, f)
	if field, ok := errors.AsType[*fieldError](err); ok && config != nil && !strings.HasPrefix(field.path, "items[") {
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
		if _, err := (overlay.Options{Images: overlay.ImagePaths(path)}).Parse("fields", []byte("kind: X\n")); err != nil {
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

// images finds the images that a function is about. One that is no reference is an
// error: nobody can tell what runs there.
func (r *run) images(items []*yaml.RNode, s scope) (images []*image, results framework.Results) {
	found, results := r.find(items, s)
	for _, i := range found {
		if why := i.fault(); why != "" {
			results = append(results, malformed(i, why).result(r.kind, i))
			continue
		}
		images = append(images, i)
	}
	return images, results
}

// imagesToJudge is images, for what judges them: what may be an image in the field of a kind
// that nobody knows is not passed over. What is not even pinned there is unknown, or a
// warning where pins are all that is asked for.
func (r *run) imagesToJudge(items []*yaml.RNode, s scope, pinsAlone bool) (images []*image, results framework.Results) {
	images, results = r.images(items, s)
	found := slices.Clone(images)
	for _, item := range items {
		for _, i := range unlistedIn(item, found) {
			switch {
			case matches(i.ref().repository, s.Ignore):
			case i.ref().digest != "" && i.fault() == "":
				images = append(images, i)
			default:
				f := mayBeImage(i, "it is not pinned by digest")
				if pinsAlone {
					f.severity, f.answer = framework.Warning, ""
				}
				results = append(results, f.result(r.kind, i))
			}
		}
	}
	return images, results
}

// mayBeImage is what there is to say of a field of a kind that nobody knows.
func mayBeImage(i *image, why string) *finding {
	return unknown("undeclared", "name it in spec.fields, or in the pipeline's spec.images, if it is an image; in spec.ignore, if it is none",
		"%s may be an image, and what kind %s does with it is not known here: %s: %s", i.path, quoted(i.unlisted), quoted(i.text), why)
}

func malformed(i *image, why string) *finding {
	if i.what != "" {
		return unknown("malformed", "name in spec.fields what stands there: spec.image", "the image is %s, and no image reference", why)
	}
	return unknown("malformed", "", "image %s is no image reference: %s", quoted(i.text), why)
}

// find finds the images that a function is about, whatever their text.
func (r *run) find(items []*yaml.RNode, s scope) (images []*image, results framework.Results) {
	for _, item := range items {
		found, err := findImages(item, s.Fields)
		if err != nil {
			f := refuse("malformed", "", "the declared fields cannot be looked for: %v", err)
			results = append(results, itemResult(r.kind, item, f))
			continue
		}
		for _, i := range found {
			if i.what != "" || !matches(i.ref().repository, s.Ignore) {
				images = append(images, i)
			}
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
