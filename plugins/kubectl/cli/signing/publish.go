package signing

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify/attest"
	"k8s.io/cli-runtime/pkg/printers"
)

// Statement is one statement to be signed and stored.
type Statement struct {
	Service, Image string
	Statement      attest.Statement
}

// Attested is a statement that was made, as an API object.
type Attested struct {
	Service       string `json:"service"`
	Environment   string `json:"environment"`
	Image         string `json:"image"`
	PredicateType string `json:"predicateType"`
	KeyID         string `json:"keyID,omitempty"`
	DryRun        bool   `json:"dryRun,omitempty"`
	// Statement is what would be signed, in a dry run.
	Statement json.RawMessage `json:"statement,omitempty"`
	*attest.Stored
}

// Job says what statements are signed for.
type Job struct {
	Session     *cli.Session
	Command     string // for hints
	Environment string
	Word        string // what becomes of images: attested, approved
	DryRun      bool
}

// Finish signs and stores statements, or shows them, and prints what was done.
func (o *Options) Finish(ctx context.Context, job Job, out *cli.Output, printer printers.ResourcePrinter, all []Statement) error {
	if !job.DryRun {
		done, err := o.Publish(ctx, job, all)
		return job.published(out, printer, done, err)
	}
	var shown []Attested
	for _, st := range all {
		shown = append(shown, Attested{
			Service: st.Service, Environment: job.Environment, Image: st.Image, PredicateType: st.Statement.PredicateType(),
			DryRun: true, Statement: st.Statement.Payload(),
		})
	}
	return job.print(out, printer, shown)
}

// Publish signs statements and stores them beside their images. What is stored
// stays stored where a later one fails; the same command again adds to it.
func (o *Options) Publish(ctx context.Context, job Job, all []Statement) ([]Attested, error) {
	signer, err := o.Signer(ctx, job.Session, job.Command)
	if err != nil {
		return nil, err
	}
	storer, err := o.storer(job.Session)
	if err != nil {
		return nil, err
	}
	bar := job.Session.NewProgress()
	defer bar.Clear()
	var done []Attested
	for n, st := range all {
		bundle, err := signer.Attest(ctx, st.Statement)
		if err != nil {
			return done, &promote.Error{Msg: "signing a statement about " + st.Image, Err: err}
		}
		stored, err := storer.Store(ctx, st.Image, bundle)
		if err != nil {
			return done, err
		}
		done = append(done, Attested{Service: st.Service, Environment: job.Environment, Image: st.Image,
			PredicateType: st.Statement.PredicateType(), KeyID: signer.KeyID(), Stored: &stored})
		bar.Show("attesting", n+1, len(all))
	}
	return done, nil
}

// published prints what was signed before an error, if there was one.
func (job *Job) published(out *cli.Output, printer printers.ResourcePrinter, done []Attested, err error) error {
	if len(done) == 0 && err != nil {
		return err
	}
	return errors.Join(job.print(out, printer, done), err)
}

// print prints what was signed, or, for a dry run, the statements.
func (job *Job) print(out *cli.Output, printer printers.ResourcePrinter, all []Attested) error {
	rows := [][]string{{"SERVICE", "ENVIRONMENT", "IMAGE", "RESULT"}}
	if out.Wide() {
		rows[0] = append(rows[0], "PREDICATE TYPE", "LOCATION")
	}
	items := []cli.Object{}
	for _, a := range all {
		items = append(items, cli.Object{Name: a.Service, Content: a})
		result, location := "would be "+job.Word, "-"
		if a.Stored != nil {
			result, location = job.Word, a.Location
			if !a.Written {
				result = "unchanged"
			}
		}
		row := []string{a.Service, a.Environment, a.Image, result}
		if out.Wide() {
			row = append(row, a.PredicateType, location)
		}
		rows = append(rows, row)
	}
	return job.Session.Print(printer, "Attestation", items, rows)
}
