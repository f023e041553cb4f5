package reportcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/plugins/kubectl/cli/across"
	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/shard"
	"k8s.io/cli-runtime/pkg/printers"
)

// mostBytes is how much the files of all shards may have together.
const mostBytes = 512 << 20

// result is what a command has printed for a shard, as far as it matters here.
type result struct {
	file       string
	Kind       string      `json:"kind"`
	Shard      shard.Shard `json:"shard"`
	ExitStatus *int        `json:"exitStatus"`
	Request    struct {
		Shard shard.Shard `json:"shard"`
	} `json:"request"` // of a plan
	Items []json.RawMessage `json:"items"`
}

// item is one service or image of them.
type item struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Service  string         `json:"service"`
	Gate     string         `json:"gate"`
	Answer   promote.Answer `json:"answer"`  // of a gate; that of a promotion is for all of its services
	Outcome  string         `json:"outcome"` // of a verification
	Error    string         `json:"error"`
	Reason   string         `json:"reason"`
	Changed  bool           `json:"changed"`
	Verdicts []struct {
		Answer promote.Answer `json:"answer"`
		Gate   string         `json:"gate"`
		Reason string         `json:"reason"`
	} `json:"verdicts"`
}

// isFolder tells whether an argument means a folder with the results of shards: it has a
// separator, which no service has.
func isFolder(arg string) bool {
	return arg == "." || arg == ".." || strings.ContainsRune(arg, filepath.Separator) || strings.ContainsRune(arg, '/')
}

// shards puts the results of all shards together. Its exit status is the worst of them; a
// shard that has none is unknown.
func (o *options) shards(printer printers.ResourcePrinter, dir string) error {
	all, unread, err := readResults(dir)
	if err != nil || len(all) == 0 {
		return errors.Join(unread, err)
	}
	count := all[0].Shard.Count
	worst, there := cli.ExitDone, make(map[int]bool)
	if unread != nil {
		worst = o.session.Fail(unread)
	}
	rows := [][]string{{"SHARD", "ITEMS", "CHANGED", "NOT DONE", "EXIT"}}
	var facts []cli.Fact
	var objects []cli.Object
	for _, r := range all {
		there[r.Shard.Index] = true
		changed, held := 0, 0
		status := cli.ExitDone
		for _, raw := range r.Items {
			var i item
			if err := json.Unmarshal(raw, &i); err != nil {
				return &promote.Error{Msg: r.file + ": an item cannot be read", Err: err}
			}
			if i.Changed {
				changed++
			}
			if s, why := i.status(); s != cli.ExitDone {
				held++
				status = across.Worse(status, s)
				facts = append(facts, cli.Fact{Text: fmt.Sprintf("shard %s: %s: %s", r.Shard, i.name(), why)})
			}
			objects = append(objects, cli.Object{Name: i.Metadata.Name, Content: raw})
		}
		if s := r.ExitStatus; s != nil && across.Known(*s) {
			status = *s
		} else if s != nil {
			status = cli.ExitFailed
		}
		worst = across.Worse(worst, status)
		rows = append(rows, []string{r.Shard.String(), fmt.Sprint(len(r.Items)), fmt.Sprint(changed), fmt.Sprint(held), fmt.Sprint(status)})
	}
	for k := range count {
		if missing := (shard.Shard{Index: k, Count: count}); !there[k] {
			worst = across.Worse(worst, cli.ExitUnknown)
			rows = append(rows, []string{missing.String(), "-", "-", "-", "-"})
			facts = append(facts, cli.Fact{Text: fmt.Sprintf("shard %s: there is no result, so nobody knows what it has done", missing), Hint: "run the command with --shard " + missing.String() + " again"})
		}
	}
	o.session.PrintFacts(facts)
	if printer != nil {
		kind := strings.TrimSuffix(all[0].Kind, "List")
		return errors.Join(cli.PrintListWith(o.session.Out, printer, kind, map[string]int{"shards": count, "exitStatus": worst}, objects), cli.Silent(worst))
	}
	return errors.Join(cli.Table(o.session.Out, rows), cli.Silent(worst))
}

// name is what an item is known by.
func (i *item) name() string {
	if i.Service != "" {
		return i.Service
	}
	return i.Metadata.Name
}

// status is the exit status that an item stands for, and why.
func (i *item) status() (int, string) {
	switch {
	case i.Error != "":
		return cli.ExitUnknown, i.Error
	case i.Outcome == "rejected":
		return cli.ExitRefused, i.Reason
	case i.Outcome != "" && i.Outcome != "verified":
		return cli.ExitUnknown, i.Reason
	}
	if i.Gate != "" && i.Answer != promote.Pass {
		return cli.AnswerStatus(i.Answer), fmt.Sprintf("%s: %s: %s", i.Gate, i.Answer, i.Reason)
	}
	status, why := cli.ExitDone, ""
	for _, v := range i.Verdicts {
		if s := across.Worse(status, cli.AnswerStatus(v.Answer)); s != status {
			status, why = s, fmt.Sprintf("%s: %s: %s", v.Gate, v.Answer, v.Reason)
		}
	}
	return status, why
}

// readResults reads the files of a folder, each the output of one shard with -o json, in
// their order. What cannot be read is told beside the others.
func readResults(dir string) (all []*result, unread, err error) {
	names, err := filepath.Glob(filepath.Join(escape(dir), "*.json"))
	if _, serr := os.Stat(dir); serr != nil {
		err = errors.Join(err, serr)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, &cli.UsageError{Msg: dir + " is not there", Hint: "name the folder that has what each shard has printed with -o json, a file each"}
	case err != nil:
		return nil, nil, err
	case len(names) == 0:
		return nil, nil, &cli.UsageError{Msg: dir + " has no result of a shard", Hint: "kubectl promote --all --to ENVIRONMENT --shard 0/4 -o json > " + filepath.Join(dir, "0.json")}
	case len(names) > shard.Most:
		return nil, nil, &promote.Error{Msg: fmt.Sprintf("%s has %d files, and there are at most %d shards", dir, len(names), shard.Most)}
	}
	left := int64(mostBytes)
	for _, name := range names {
		r, size, err := readResult(name, left)
		if left -= size; err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(a, b *result) int { return a.Shard.Index - b.Shard.Index })
	for n, r := range all[min(1, len(all)):] {
		switch before := all[n]; {
		case r.Kind != before.Kind || r.Shard.Count != before.Shard.Count:
			return nil, nil, &promote.Error{Msg: fmt.Sprintf("%s is shard %s of a %s, and %s is %s of a %s", before.file, before.Shard, before.Kind, r.file, r.Shard, r.Kind), Hint: "a folder for each command"}
		case r.Shard == before.Shard:
			return nil, nil, &promote.Error{Msg: fmt.Sprintf("%s and %s are both shard %s", before.file, r.file, r.Shard), Hint: "leave the one that ran last"}
		}
	}
	return all, unread, nil
}

func readResult(name string, left int64) (*result, int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() || info.Size() > left {
		return nil, 0, &promote.Error{Msg: fmt.Sprintf("%s is no file, or there are more than %d MiB", name, mostBytes>>20)}
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, 0, err
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, 0, &promote.Error{Msg: name + " is empty: its shard has failed before it could say anything", Hint: "see what it has said on stderr, and run it again"}
	}
	r := &result{file: name}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, 0, &promote.Error{Msg: name + " is no output of -o json", Err: err}
	}
	if r.Shard.Count == 0 {
		r.Shard = r.Request.Shard
	}
	if r.Shard.Count == 0 || !strings.HasSuffix(r.Kind, "List") {
		return nil, 0, &promote.Error{Msg: name + " is of no shard", Hint: "run the command with --shard K/N -o json"}
	}
	return r, int64(len(data)), nil
}

// escape keeps a folder's own name from being a pattern.
func escape(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
