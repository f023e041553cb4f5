package lintcmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubepromote/kubepromote/overlay"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/discover"
	"github.com/kubepromote/kubepromote/promote/git"
	"github.com/kubepromote/kubepromote/promote/git/branch"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/images"
	"github.com/kubepromote/kubepromote/promote/lint"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify"
)

// rulePipeline is the rule about the pipeline file: package lint gets it as it was read.
const rulePipeline = "pipeline"

// repository looks at the repository's pipeline, its policies, and what stands at their
// locations, as the working tree has them. Outside of Git, and where nothing shows
// environments, there is nothing to look at.
func (o *options) repository(ctx context.Context, tree string) ([]lint.Finding, error) {
	if _, err := os.Lstat(filepath.Join(tree, ".git")); err != nil {
		return nil, nil
	}
	repo, err := git.Open(ctx, o.session.Repo)
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	home := places.OfClone(ctx, repo, branch.Cache{})
	defer home.Close()
	in := lint.Input{Tree: home, Name: pipeline.FileName, Skip: o.skip}
	if o.session.Pipeline != "" {
		in.Name = filepath.ToSlash(o.session.Pipeline)
		in.Source, err = cli.ReadBounded(o.session.Pipeline)
	} else {
		in.Source, err = repo.ReadFile(pipeline.FileName)
	}
	var faults []lint.Finding
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.session.Pipeline == "":
		in.Source = nil
		in.Pipeline, _, err = discover.Pipeline(ctx, repo)
		if errors.Is(err, pipeline.ErrNone) {
			return nil, nil
		}
	case err == nil:
		if o.fix && o.session.Pipeline == "" && !slices.Contains(o.skip, rulePipeline) {
			if err := o.respell(ctx, repo, &in); err != nil {
				return nil, err
			}
		}
		in.Pipeline, err = pipeline.Parse(in.Name, in.Source)
		faults, err = o.faults(rulePipeline, err)
	}
	if err != nil || in.Pipeline == nil {
		return faults, err
	}
	if err := home.Settle(in.Pipeline); err != nil {
		return faults, err
	}
	if o.fix {
		err = o.writeFixes(ctx, repo, in)
	}
	findings, rerr := lint.Run(ctx, in)
	err = errors.Join(err, rerr)
	policies, perr := o.policies(repo, in)
	delivery, derr := o.delivery(ctx, home, repo, in.Pipeline)
	return slices.Concat(findings, policies, delivery), errors.Join(err, perr, derr)
}

// respell mends the misspelt fields of the pipeline file, before it is read.
func (o *options) respell(ctx context.Context, repo *git.Repo, in *lint.Input) error {
	data := respelled(in.Name, in.Source)
	if bytes.Equal(data, in.Source) {
		return nil
	}
	err := o.write(ctx, repo, []promote.File{{Path: in.Name, Data: data, Old: in.Source}})
	if err == nil {
		in.Source = data
	}
	return err
}

// writeFixes writes what rules can write anew.
func (o *options) writeFixes(ctx context.Context, repo *git.Repo, in lint.Input) error {
	fixes, err := lint.Fixes(ctx, in)
	var list []promote.File
	for _, f := range fixes {
		list = append(list, promote.File{Path: f.File, Data: f.Data, Old: f.Before, New: f.Before == nil})
	}
	if len(list) == 0 {
		return err
	}
	return errors.Join(err, o.write(ctx, repo, list))
}

// write writes files, and says so.
func (o *options) write(ctx context.Context, repo *git.Repo, list []promote.File) error {
	if err := repo.Write(ctx, list); err != nil {
		return err
	}
	if !o.session.Quiet {
		for _, f := range list {
			fmt.Fprintln(o.session.ErrOut, cli.Clean(f.Path)+": written")
		}
	}
	return nil
}

// policies reads all policies that the pipeline names.
func (o *options) policies(repo *git.Repo, in lint.Input) ([]lint.Finding, error) {
	var names []string
	for _, e := range in.Pipeline.Spec.Environments {
		if e.Verify != nil {
			names = append(names, e.Verify.Policy)
		}
		for _, g := range e.Gates {
			names = append(names, g.Policies()...)
		}
	}
	slices.Sort(names)
	var findings []lint.Finding
	var errs []error
	read := images.PoliciesIn(repo)
	for _, name := range slices.Compact(names) {
		_, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // which package lint has told
		}
		found, err := o.faults(lint.RulePolicy, err)
		findings, errs = append(findings, found...), append(errs, err)
	}
	return findings, errors.Join(errs...)
}

// faults gives what is wrong with a file as findings, and other errors as such.
func (o *options) faults(rule string, err error) ([]lint.Finding, error) {
	var findings []lint.Finding
	var errs []error
	for _, e := range cli.Split(err) {
		if fault, ok := errors.AsType[*overlay.Error](e); ok {
			findings = append(findings, lint.Finding{Rule: rule, File: fault.File, Line: fault.Line, Column: fault.Col, Message: fault.Msg, Hint: fault.Hint})
		} else if fault, ok := errors.AsType[*verify.PolicyError](e); ok {
			findings = append(findings, lint.Finding{Rule: rule, File: fault.File, Line: fault.Line, Column: fault.Col, Message: fault.Msg, Hint: fault.Hint})
		} else {
			errs = append(errs, e)
		}
	}
	if slices.Contains(o.skip, rule) {
		findings = nil
	}
	return findings, errors.Join(errs...)
}
