package main

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"time"
)

// The parts of SPDX 2.3 that a list of Go modules needs; see
// https://spdx.github.io/spdx-spec/v2.3/.
type spdxDocument struct {
	SPDXVersion       string             `json:"spdxVersion"`
	DataLicense       string             `json:"dataLicense"`
	SPDXID            string             `json:"SPDXID"`
	Name              string             `json:"name"`
	DocumentNamespace string             `json:"documentNamespace"`
	CreationInfo      spdxCreation       `json:"creationInfo"`
	Packages          []spdxPackage      `json:"packages"`
	Relationships     []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	Name             string         `json:"name"`
	SPDXID           string         `json:"SPDXID"`
	VersionInfo      string         `json:"versionInfo"`
	FileName         string         `json:"packageFileName,omitempty"`
	DownloadLocation string         `json:"downloadLocation"`
	FilesAnalyzed    bool           `json:"filesAnalyzed"`
	Checksums        []spdxChecksum `json:"checksums,omitempty"`
	LicenseConcluded string         `json:"licenseConcluded"`
	LicenseDeclared  string         `json:"licenseDeclared"`
	CopyrightText    string         `json:"copyrightText"`
	ExternalRefs     []spdxRef      `json:"externalRefs"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	Element string `json:"spdxElementId"`
	Type    string `json:"relationshipType"`
	Related string `json:"relatedSpdxElement"`
}

const (
	documentID = "SPDXRef-DOCUMENT"
	noClaim    = "NOASSERTION" // SPDX's word for "nothing is said about it"
	sbomSuffix = ".spdx.json"
)

// writeSBOM lists the modules in an archive's program beside the archive.
func (r *releaser) writeSBOM(a archive) (string, error) {
	program := filepath.Join(r.dist, "bin", a.platform.os+"_"+a.platform.arch, a.platform.exe(program))
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return "", err
	}
	created, err := created()
	if err != nil {
		return "", err
	}
	doc := sbom(info, r.version, a, created)
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return "", err
	}
	name := a.file + sbomSuffix
	return name, os.WriteFile(filepath.Join(r.dist, name), append(data, '\n'), 0o644)
}

// created gives the time that SPDX wants: not that of the build, but the one in
// SOURCE_DATE_EPOCH, or one that never changes.
func created() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return entryTime, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, not a number of seconds", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// sbom describes one archive: its program, the Go standard library and every
// module that the linker has put in.
func sbom(info *debug.BuildInfo, version string, a archive, created time.Time) spdxDocument {
	main := goPackage(info.Main.Path, version)
	main.FileName = a.file
	main.LicenseDeclared = "Apache-2.0"
	main.DownloadLocation = downloads + version + "/" + a.file
	main.Checksums = []spdxChecksum{{"SHA256", a.sha256}}
	doc := spdxDocument{
		SPDXVersion: "SPDX-2.3", DataLicense: "CC0-1.0", SPDXID: documentID,
		Name: a.file, DocumentNamespace: downloads + version + "/" + a.file + sbomSuffix,
		CreationInfo:  spdxCreation{created.Format(time.RFC3339), []string{"Tool: " + modulePath + "/cmd/release"}},
		Packages:      []spdxPackage{main},
		Relationships: []spdxRelationship{{documentID, "DESCRIBES", main.SPDXID}},
	}
	modules := []spdxPackage{goPackage("stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules = append(modules, goPackage(m.Path, m.Version))
	}
	sort.Slice(modules, func(i, j int) bool { return modules[i].SPDXID < modules[j].SPDXID })
	for _, m := range modules {
		doc.Packages = append(doc.Packages, m)
		doc.Relationships = append(doc.Relationships, spdxRelationship{main.SPDXID, "DEPENDS_ON", m.SPDXID})
	}
	return doc
}

// goPackage is a Go module as a package. The identifier has only the characters
// that SPDX allows.
func goPackage(path, version string) spdxPackage {
	id := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '-'
	}, path+"-"+version)
	return spdxPackage{
		Name: path, SPDXID: "SPDXRef-Package-" + id, VersionInfo: version, DownloadLocation: noClaim,
		LicenseConcluded: noClaim, LicenseDeclared: noClaim, CopyrightText: noClaim,
		ExternalRefs: []spdxRef{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")}},
	}
}
