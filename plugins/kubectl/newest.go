package kubectl

import (
	"errors"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// newestTag is the newest tag of a repository, and why it is that.
type newestTag struct {
	Repository string `json:"repository"`
	digest.Selection
	Digest string `json:"digest,omitempty"`
	Error  string `json:"error,omitempty"`
}

// runNewest finds the newest tag of each repository by the rule of --newest.
func (o *resolveOptions) runNewest(cmd *cobra.Command, printer printers.ResourcePrinter, repositories []string) error {
	s := o.session
	selector, err := digest.ParseSelector(o.newest)
	if err != nil {
		return &usageError{msg: "--newest: " + err.Error(), hint: hintOf(err), command: cmd.CommandPath()}
	}
	if len(repositories) == 0 {
		return &usageError{msg: "no repository named", command: cmd.CommandPath()}
	}
	resolver, err := s.newResolver()
	if err != nil {
		return err
	}
	rows := [][]string{{"REFERENCE", "DIGEST", "WHY"}}
	items, errs := []object{}, []error{}
	bar := s.newProgress()
	for n, repository := range repositories {
		chosen, res, err := resolver.Newest(cmd.Context(), repository, selector)
		bar.show("choosing", n+1, len(repositories))
		item := newestTag{Repository: repository, Selection: chosen, Digest: res.Digest}
		item.Repository = digest.Redact(repository)
		ref := item.Repository
		if err != nil {
			item.Error = err.Error()
			errs = append(errs, err)
		} else {
			ref = res.Ref
		}
		items = append(items, object{name: ref, content: item})
		rows = append(rows, []string{ref, dash(res.Digest), dash(chosen.Why)})
	}
	bar.clear()
	if printer != nil {
		err = printList(s.Out, printer, "NewestTag", items)
	} else {
		err = table(s.Out, rows)
	}
	return errors.Join(append([]error{err}, errs...)...)
}
