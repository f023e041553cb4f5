package resolvecmd

import (
	"errors"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/tags"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
)

// newestTag is the newest tag of a repository, and why it is that.
type newestTag struct {
	Repository string `json:"repository"`
	tags.Selection
	Digest string `json:"digest,omitempty"`
	Error  string `json:"error,omitempty"`
}

// runNewest finds the newest tag of each repository by the rule of --newest.
func (o *options) runNewest(cmd *cobra.Command, printer printers.ResourcePrinter, repositories []string) error {
	s := o.session
	selector, err := tags.ParseSelector(o.newest)
	if err != nil {
		return &cli.UsageError{Msg: "--newest: " + err.Error(), Hint: s.HintOf(err), Command: cmd.CommandPath()}
	}
	if len(repositories) == 0 {
		return &cli.UsageError{Msg: "no repository named", Command: cmd.CommandPath()}
	}
	resolver, err := s.NewResolver()
	if err != nil {
		return err
	}
	rows := [][]string{{"REFERENCE", "DIGEST", "WHY"}}
	items, errs := []cli.Object{}, []error{}
	bar := s.NewProgress()
	for n, repository := range repositories {
		chosen, res, err := tags.Newest(cmd.Context(), resolver, repository, selector)
		bar.Show("choosing", n+1, len(repositories))
		item := newestTag{Repository: digest.Redact(repository), Selection: chosen, Digest: res.Digest}
		ref := item.Repository
		if err != nil {
			item.Error = err.Error()
			errs = append(errs, err)
		} else {
			ref = res.Ref
		}
		items = append(items, cli.Object{Name: ref, Content: item})
		rows = append(rows, []string{ref, cli.Dash(res.Digest), cli.Dash(chosen.Why)})
	}
	bar.Clear()
	err = s.Print(printer, "NewestTag", items, rows)
	return errors.Join(append([]error{err}, errs...)...)
}
