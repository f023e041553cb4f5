// Package docs_test holds the guides against the program: examples that are
// configuration are parsed by what parses it, flags and links have to be there.
package docs_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/pipeline"
	"github.com/kubepromote/kubepromote/verify"
	"go.yaml.in/yaml/v3"
)

// block is a fenced block of a guide.
type block struct {
	file string
	line int // of its first line, from 1
	lang string
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.file, b.line) }

func blocks(t *testing.T, file string) []block {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	open := false
	for i, line := range strings.SplitAfter(string(data), "\n") {
		lang, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open:
			open = false
		case fence:
			open = true
			all = append(all, block{file: file, line: i + 2, lang: strings.TrimSpace(lang)})
		case open:
			all[len(all)-1].text += line
		}
	}
	if open {
		t.Fatalf("%s: the last block has no end", file)
	}
	return all
}

// guides are all files with text that people write.
func guides(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no guides: %v", err)
	}
	return append(files, "../README.md", "../CONTRIBUTING.md")
}

const (
	policyHead = "apiVersion: kubepromote.dev/v1alpha1\nkind: VerificationPolicy\nspec:\n" +
		"  unmatched: reject\n  trustedRoot: {publicGood: true}\n  rules:\n"
	pipelineTop  = "apiVersion: kubepromote.dev/v1alpha1\nkind: Pipeline\nspec:\n"
	pipelineHead = pipelineTop + "  environments:\n" +
		"  - name: staging\n  - name: production\n    from: [staging]\n"
)

// indent puts spaces before each line.
func indent(text, by string) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(text, by+"$1")
}

// TestConfiguration parses every YAML block of the guides to configuration.
// A block is a whole file, or a list of rules, authorities, gates or locations.
func TestConfiguration(t *testing.T) {
	parsed := map[string]int{}
	for _, file := range []string{"verification.md", "pipeline.md", "gates.md", "gates-cookbook.md"} {
		rego := map[string]string{}
		all := blocks(t, file)
		for _, b := range all {
			if name, ok := strings.CutPrefix(b.text, "# "); ok && b.lang == "rego" {
				name, _, _ = strings.Cut(name, "\n")
				rego[name] = b.text
			}
		}
		read := func(name string) ([]byte, error) { return namedFile(t, rego, name) }
		for _, b := range all {
			if b.lang != "yaml" {
				continue
			}
			var err error
			kind := kindOf(b.text)
			switch parsed[kind]++; kind {
			case "Pipeline":
				_, err = pipeline.Parse(b.String(), []byte(b.text))
			case "spec":
				_, err = pipeline.Parse(b.String(), []byte(strings.TrimSuffix(pipelineTop, "spec:\n")+b.text))
			case "environments":
				_, err = pipeline.Parse(b.String(), []byte(pipelineTop+indent(b.text, "  ")))
			case "ClusterRole": // which e2e/cluster gives a user
				err = yaml.Unmarshal([]byte(b.text), &map[string]any{})
			case "gates":
				_, err = pipeline.Parse(b.String(), []byte(pipelineHead+indent(b.text, "    ")))
			case "layout":
				_, err = pipeline.Parse(b.String(), []byte(pipelineHead+indent(b.text, "  ")))
			case "VerificationPolicy", "ClusterImagePolicy":
				_, err = verify.ParsePolicy(b.String(), []byte(b.text), read)
			case "rules":
				_, err = verify.ParsePolicy(b.String(), []byte(policyHead+indent(b.text, "  ")), read)
			case "authorities":
				rule := "  - images: [\"**\"]\n    authorities:\n"
				_, err = verify.ParsePolicy(b.String(), []byte(policyHead+rule+indent(b.text, "    ")), read)
			default:
				t.Errorf("%s: it is not known what this block is", b)
			}
			if err != nil {
				t.Errorf("%s: %v", b, err)
			}
		}
	}
	for _, kind := range []string{"Pipeline", "gates", "VerificationPolicy", "ClusterImagePolicy", "rules", "authorities"} {
		if parsed[kind] == 0 {
			t.Errorf("no block was parsed as %s", kind)
		}
	}
}

// TestPipelineFiles parses every pipeline file of the examples and the docs. One of
// them could not be read.
func TestPipelineFiles(t *testing.T) {
	found := 0
	for _, dir := range []string{"../examples", "."} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.Name() != pipeline.FileName {
				return err
			}
			found++
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			p, err := pipeline.Parse(file, data)
			if err != nil {
				t.Error(err)
				return nil
			}
			services, err := p.Services(disk(filepath.Dir(file)))
			if err != nil || len(services) == 0 {
				t.Errorf("%s: its layout fits nothing beside it: %v", file, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if found == 0 {
		t.Error("no pipeline file was found")
	}
}

// disk is a directory as a tree.
type disk string

func (d disk) ReadFile(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(d), name))
}

func (d disk) ReadDir(name string) ([]fs.DirEntry, error) {
	return os.ReadDir(filepath.Join(string(d), name))
}

func (d disk) ReadAny(dir string, names []string) (promote.Found, error) {
	for _, name := range names {
		if data, err := d.ReadFile(path.Join(dir, name)); err == nil {
			return promote.Found{Have: []string{name}, Name: name, Data: data}, nil
		}
	}
	return promote.Found{}, fs.ErrNotExist
}

func kindOf(text string) string {
	if m := regexp.MustCompile(`(?m)^kind: (\w+)$`).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	for start, kind := range map[string]string{"gates:": "gates", "layout:": "layout", "- images:": "rules", "- name:": "authorities", "spec:": "spec", "environments:": "environments", "gateTemplates:": "environments"} {
		if strings.HasPrefix(text, start) {
			return kind
		}
	}
	return ""
}

// namedFile is what a policy of a guide names: a key, an authority's
// certificate, a trusted root, or a condition that stands in the guide.
func namedFile(t *testing.T, rego map[string]string, name string) ([]byte, error) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	switch path.Ext(name) {
	case ".pub":
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), err
	case ".pem":
		ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
		der, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
	case ".json":
		root, _ := verify.PublicGoodRoot()
		return root, nil
	case ".rego":
		if text, ok := rego[name]; ok {
			return []byte(text), nil
		}
	}
	return nil, os.ErrNotExist
}

// TestChecksAreTheExamples holds the jobs of check.md against those that e2e runs.
func TestChecksAreTheExamples(t *testing.T) {
	var shown []string
	for _, b := range blocks(t, "check.md") {
		if b.lang == "yaml" {
			shown = append(shown, b.text)
		}
	}
	if len(shown) != 2 {
		t.Fatalf("check.md has %d jobs", len(shown))
	}
	if shown[0] != read(t, "../examples/ci/github/check.yaml") {
		t.Error("check.md shows another workflow than examples/ci/github/check.yaml")
	}
	type jobs map[string]struct {
		Rules        any
		BeforeScript any `yaml:"before_script"`
		Script       any
	}
	var guide, example jobs
	if err := errors.Join(yaml.Unmarshal([]byte(shown[1]), &guide), yaml.Unmarshal([]byte(read(t, "../examples/ci/gitlab/promotions.yaml")), &example)); err != nil {
		t.Fatal(err)
	}
	const name = "promotion check"
	if !reflect.DeepEqual(guide[name], example[name]) || guide[name].Script == nil {
		t.Errorf("check.md shows the job %v, and the example has %v", guide[name], example[name])
	}
}

// TestVersion looks for the release that documents and examples name: the one of VERSION.
func TestVersion(t *testing.T) {
	version, _, _ := strings.Cut(read(t, "../VERSION"), "\n")
	named := regexp.MustCompile(`(?:kubepromote@|kubectl-promote[:_]|promote-fn:|release = ")(v\d+\.\d+\.\d+)`)
	files := append(guides(t), "../action.yml", "../plugins/kubectl/initcmd/workflow.go")
	err := filepath.WalkDir("../examples/ci", func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		for _, m := range named.FindAllStringSubmatch(read(t, file), -1) {
			if found++; m[1] != version {
				t.Errorf("%s names %s, and VERSION has %s", file, m[0], version)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d places name a release", found)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestTrustedRootDate holds what the guide says about the copy in the program.
func TestTrustedRootDate(t *testing.T) {
	data, err := os.ReadFile("verification.md")
	if err != nil {
		t.Fatal(err)
	}
	_, date := verify.PublicGoodRoot()
	if want := "as it was on " + date.Format(time.DateOnly); !strings.Contains(string(data), want) {
		t.Errorf("verification.md does not say %q", want)
	}
}

// TestIndex looks for every guide in the index.
func TestIndex(t *testing.T) {
	index := read(t, "README.md")
	for _, file := range guides(t) {
		if filepath.Dir(file) == "." && file != "README.md" && !strings.Contains(index, "]("+file+")") {
			t.Errorf("README.md has no link to %s", file)
		}
	}
}

// TestLinks follows the links from guides to files and headings of this
// repository.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	found := 0
	for _, file := range guides(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			found++
			target, heading, _ := strings.Cut(m[1], "#")
			to := file
			if target != "" {
				to = filepath.Join(filepath.Dir(file), filepath.FromSlash(target))
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: link to %s, which is not there", file, m[1])
			} else if heading != "" && !slices.Contains(headings(t, to), heading) {
				t.Errorf("%s: link to %s, which has no such heading", file, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no link was found in the guides")
	}
}

// headings are the anchors that a Markdown file has.
func headings(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			anchor := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(title)), " ", "-")
			all = append(all, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(anchor, ""))
		}
	}
	return all
}
