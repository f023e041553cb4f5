package lintcmd

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"path"

	"github.com/kubepromote/kubepromote/plugins/kubectl/cli"
	"github.com/kubepromote/kubepromote/promote/lint"
)

// The formats of -o that other tools read.
const (
	formatSARIF = "sarif"
	formatJUnit = "junit"
)

type (
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
		Help  sarifText `json:"help"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn,omitempty"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"`
		} `json:"physicalLocation"`
	}
	sarifResult struct {
		Rule      string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifRun struct {
		Tool struct {
			Driver struct {
				Name    string      `json:"name"`
				Version string      `json:"version"`
				URI     string      `json:"informationUri"`
				Rules   []sarifRule `json:"rules"`
			} `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
)

// printSARIF writes findings as SARIF 2.1.0 (OASIS), which forges show beside the lines.
func printSARIF(w io.Writer, findings []lint.Finding) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	driver := &run.Tool.Driver
	driver.Name, driver.Version, driver.URI = "kubectl-promote", cli.Version(), "https://github.com/kubepromote/kubepromote"
	for _, r := range allRules() {
		driver.Rules = append(driver.Rules, sarifRule{ID: r.Name, Short: sarifText{r.About}, Help: sarifText{r.About}})
	}
	for _, f := range findings {
		text := f.Message
		if f.Hint != "" {
			text += "\nhint: " + f.Hint
		}
		at := sarifLocation{}
		at.Physical.Artifact.URI = path.Clean(f.File)
		if f.Line > 0 {
			at.Physical.Region = &sarifRegion{f.Line, f.Column}
		}
		run.Results = append(run.Results, sarifResult{f.Rule, "warning", sarifText{text}, []sarifLocation{at}})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

type (
	junitFailure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr,omitempty"`
		Line    int           `xml:"line,attr,omitempty"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
)

// printJUnit writes findings as JUnit's XML: each is a case that fails, and a rule without
// any a case that passes.
func printJUnit(w io.Writer, findings []lint.Finding) error {
	suite := junitSuite{Name: "kubectl promote lint", Failures: len(findings)}
	found := make(map[string]bool)
	for _, f := range findings {
		found[f.Rule] = true
		text := f.Place() + ": " + f.Message
		if f.Hint != "" {
			text += "\nhint: " + f.Hint
		}
		suite.Cases = append(suite.Cases, junitCase{Name: f.Place(), Class: f.Rule, File: f.File, Line: f.Line, Failure: &junitFailure{f.Message, f.Rule, text}})
	}
	for _, r := range allRules() {
		if !found[r.Name] {
			suite.Cases = append(suite.Cases, junitCase{Name: r.Name, Class: r.Name})
		}
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
