package kubectl

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/verify"
	"k8s.io/cli-runtime/pkg/printers"
)

// statement is one statement to be signed and stored.
type statement struct {
	service, image string
	statement      verify.Statement
}

// attested is a statement that was made, as an API object.
type attested struct {
	Service       string `json:"service"`
	Environment   string `json:"environment"`
	Image         string `json:"image"`
	PredicateType string `json:"predicateType"`
	KeyID         string `json:"keyID,omitempty"`
	DryRun        bool   `json:"dryRun,omitempty"`
	// Statement is what would be signed, in a dry run.
	Statement json.RawMessage `json:"statement,omitempty"`
	*verify.Stored
}

// signingJob says what statements are signed for.
type signingJob struct {
	session     *session
	command     string // for hints
	environment string
	word        string // what becomes of images: attested, approved
	dryRun      bool
}

// finish signs and stores statements, or shows them, and prints what was done.
func (o *signOptions) finish(ctx context.Context, job signingJob, out *output, printer printers.ResourcePrinter, all []statement) error {
	if !job.dryRun {
		done, err := o.publish(ctx, job.session, job.command, job.environment, all)
		return job.published(out, printer, done, err)
	}
	var shown []attested
	for _, st := range all {
		shown = append(shown, attested{
			Service: st.service, Environment: job.environment, Image: st.image, PredicateType: st.statement.PredicateType(),
			DryRun: true, Statement: st.statement.Payload(),
		})
	}
	return job.print(out, printer, shown)
}

// publish signs statements and stores them beside their images. What is stored
// stays stored where a later one fails; the same command again adds to it.
func (o *signOptions) publish(ctx context.Context, s *session, command, environment string, all []statement) ([]attested, error) {
	signer, err := o.signer(ctx, s, command)
	if err != nil {
		return nil, err
	}
	storer, err := o.storer(s)
	if err != nil {
		return nil, err
	}
	bar := s.newProgress()
	defer bar.clear()
	var done []attested
	for n, st := range all {
		bundle, err := signer.Attest(ctx, st.statement)
		if err != nil {
			return done, &promote.Error{Msg: "signing a statement about " + st.image, Err: err}
		}
		stored, err := storer.Store(ctx, st.image, bundle)
		if err != nil {
			return done, err
		}
		done = append(done, attested{Service: st.service, Environment: environment, Image: st.image,
			PredicateType: st.statement.PredicateType(), KeyID: signer.KeyID(), Stored: &stored})
		bar.show("attesting", n+1, len(all))
	}
	return done, nil
}

// published prints what was signed before an error, if there was one.
func (job *signingJob) published(out *output, printer printers.ResourcePrinter, done []attested, err error) error {
	if len(done) == 0 && err != nil {
		return err
	}
	return errors.Join(job.print(out, printer, done), err)
}

// print prints what was signed, or, for a dry run, the statements.
func (job *signingJob) print(out *output, printer printers.ResourcePrinter, all []attested) error {
	rows := [][]string{{"SERVICE", "ENVIRONMENT", "IMAGE", "RESULT"}}
	if out.wide() {
		rows[0] = append(rows[0], "PREDICATE TYPE", "LOCATION")
	}
	items := []object{}
	for _, a := range all {
		items = append(items, object{name: a.Service, content: a})
		result, location := "would be "+job.word, "-"
		if a.Stored != nil {
			result, location = job.word, a.Location
			if !a.Written {
				result = "unchanged"
			}
		}
		row := []string{a.Service, a.Environment, a.Image, result}
		if out.wide() {
			row = append(row, a.PredicateType, location)
		}
		rows = append(rows, row)
	}
	if printer != nil {
		return printList(job.session.Out, printer, "Attestation", items)
	}
	return table(job.session.Out, rows)
}
