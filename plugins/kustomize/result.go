package kustomize

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kubepromote/kubepromote/internal/fault"
	"sigs.k8s.io/kustomize/kyaml/fn/framework"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Answer is what was found out about one image. It is the tag tagAnswer of a
// result.
type Answer string

// The answers. Unknown means that it could not be told; it is never taken for one
// of the others.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// The tags of results.
const (
	// tagFunction is the kind of the function.
	tagFunction = "function"
	// tagImage is the image as it stood in the object.
	tagImage = "image"
	// tagAnswer is the Answer. Results about something else than an image, such
	// as a configuration that is wrong, have none.
	tagAnswer = "answer"
	// tagReason is one word for what is the matter: unpinned, malformed,
	// rejected, unverified, undeclared, unlisted, unresolved, ambiguous or unused.
	tagReason = "reason"
	// tagMore is how many results are left out.
	tagMore = "more"
	// tagHint is what to do about it.
	tagHint = "hint"
)

// finding is what a function says about an image.
type finding struct {
	severity framework.Severity
	answer   Answer
	reason   string
	message  string
	hint     string
	proposed string
}

func refuse(reason, hint, format string, args ...any) *finding {
	return &finding{severity: framework.Error, answer: No, reason: reason, hint: hint, message: fmt.Sprintf(format, args...)}
}

func unknown(reason, hint, format string, args ...any) *finding {
	return &finding{severity: framework.Error, answer: Unknown, reason: reason, hint: hint, message: fmt.Sprintf(format, args...)}
}

// result gives a finding the place that it is about.
func (f *finding) result(kind string, i *image) *framework.Result {
	r := itemResult(kind, i.item, f)
	r.Tags[tagImage] = i.text
	r.Field = &framework.Field{Path: i.path, CurrentValue: i.text}
	if f.proposed != "" {
		r.Field.ProposedValue = f.proposed
	}
	return r
}

func itemResult(kind string, item *yaml.RNode, f *finding) *framework.Result {
	r := &framework.Result{Message: oneLine(f.message), Severity: f.severity, Tags: map[string]string{tagFunction: kind}}
	for tag, value := range map[string]string{tagAnswer: string(f.answer), tagReason: f.reason, tagHint: oneLine(f.hint)} {
		if value != "" {
			r.Tags[tag] = value
		}
	}
	if item != nil {
		r.ResourceRef, r.File = reference(item), file(item)
	}
	return r
}

// reference names an object.
func reference(item *yaml.RNode) *yaml.ResourceIdentifier {
	return &yaml.ResourceIdentifier{
		TypeMeta: yaml.TypeMeta{APIVersion: item.GetApiVersion(), Kind: item.GetKind()},
		NameMeta: yaml.NameMeta{Name: item.GetName(), Namespace: item.GetNamespace()},
	}
}

// The annotations that hosts name an object's file by, and those that older ones
// used.
const (
	pathAnnotation  = "internal.config.kubernetes.io/path"
	indexAnnotation = "internal.config.kubernetes.io/index"
	oldPath         = "config.kubernetes.io/path"
	oldIndex        = "config.kubernetes.io/index"
)

// originAnnotation is where kustomize says what file an object is from, where
// buildMetadata asks for it.
const originAnnotation = "config.kubernetes.io/origin"

// kustomizeAnnotation is on all that kustomize hands to a function. The paths that
// it notes beside are made up: behind the first function, each object has one.
const kustomizeAnnotation = "kustomize.config.k8s.io/id"

// file gives the file that an object is from, where the host tells.
func file(item *yaml.RNode) *framework.File {
	annotations := item.GetAnnotations(pathAnnotation, oldPath, indexAnnotation, oldIndex, originAnnotation, kustomizeAnnotation)
	if _, made := annotations[kustomizeAnnotation]; made {
		annotations = map[string]string{originAnnotation: annotations[originAnnotation]}
	}
	path := cmp.Or(annotations[pathAnnotation], annotations[oldPath], originPath(annotations[originAnnotation]))
	if path == "" {
		return nil
	}
	index := 0
	for _, text := range []string{annotations[oldIndex], annotations[indexAnnotation]} {
		if n, ok := number(text); ok {
			index = n
		}
	}
	return &framework.File{Path: path, Index: index}
}

func originPath(text string) string {
	for line := range strings.Lines(text) {
		if path, ok := strings.CutPrefix(line, "path: "); ok {
			return strings.TrimSpace(path)
		}
	}
	return ""
}

// number reads an annotation or a tag: digits alone, and not too many.
func number(text string) (n int, ok bool) {
	u, err := strconv.ParseUint(text, 10, 24)
	return int(u), err == nil
}

// maxLines is how many results are told to a person.
const maxLines = 20

// Lines says results to a person: one line each, and one for the hint where there
// is one. Mere information is left out. Of more than twenty results the first errors
// are told, and how many more there are.
func Lines(results framework.Results) []string {
	told := slices.DeleteFunc(slices.Clone(results), func(r *framework.Result) bool { return r.Severity == framework.Info })
	more := len(told) - maxLines
	if more > 0 {
		slices.SortStableFunc(told, func(a, b *framework.Result) int {
			return cmp.Compare(a.Severity, b.Severity) // "error" is before "warning"
		})
		told = told[:maxLines]
	}
	for _, r := range results {
		if n, ok := number(r.Tags[tagMore]); ok {
			more += n
		}
	}
	var lines []string
	for _, r := range told {
		var b strings.Builder
		if r.Severity == framework.Warning {
			b.WriteString("warning: ")
		}
		if r.File != nil {
			b.WriteString(r.File.Path + ": ")
		}
		if ref := r.ResourceRef; ref != nil && ref.Kind != "" {
			b.WriteString(ref.Kind + " ")
			if ref.Namespace != "" {
				b.WriteString(ref.Namespace + "/")
			}
			b.WriteString(ref.Name + ": ")
		}
		if r.Field != nil {
			b.WriteString(r.Field.Path + ": ")
		}
		lines = append(lines, oneLine(b.String()+r.Message))
		if hint := r.Tags[tagHint]; hint != "" {
			lines = append(lines, "hint: "+oneLine(hint))
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}

// Refused is the error of a function that has found errors. Its text has a line
// for each, as Lines has.
type Refused struct {
	Results framework.Results
}

// Error says what the functions have found, a line each.
func (r *Refused) Error() string { return strings.Join(Lines(r.Results), "\n") }

// Answer is the one that decides: No where an image was refused, Unknown where
// nothing was refused and something could not be told, and "" where no image was
// looked at, since the configuration or an object is wrong.
func (r *Refused) Answer() Answer {
	answer := Answer("")
	for _, result := range r.Results {
		if result.Severity != framework.Error {
			continue
		}
		switch a := Answer(result.Tags[tagAnswer]); {
		case a == No:
			return No
		case a == Unknown:
			answer = Unknown
		}
	}
	return answer
}

// maxMessage bounds a message in bytes: parts of it come from files and registries.
const maxMessage = 1000

// oneLine keeps what comes from elsewhere from writing more than a line,
// anything that a terminal would obey, or what turns the direction of the text.
func oneLine(s string) string {
	s = strings.TrimSpace(fault.Printable(s))
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "…"
	}
	return s
}
