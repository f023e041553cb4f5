package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"go.yaml.in/yaml/v3"
)

const (
	// pluginName is the plugin's name in krew: the command is kubectl and this.
	pluginName   = "promote"
	manifestFile = "krew-manifest.yaml"
	downloads    = "https://" + modulePath + "/releases/download/"
)

//go:embed krew-manifest.yaml.tmpl
var manifestText string

// manifestPlatform is one item of the manifest's platforms.
type manifestPlatform struct{ OS, Arch, URI, SHA256, Bin string }

// krew makes the archives and the manifest that names them by their hashes.
func (r *releaser) krew(ctx context.Context) ([]archive, error) {
	if err := r.fresh(); err != nil {
		return nil, err
	}
	made, err := r.archives(ctx, r.dist)
	if err != nil {
		return nil, err
	}
	manifest, err := r.manifest(made)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(r.dist, manifestFile), manifest, 0o644); err != nil {
		return nil, err
	}
	if r.root {
		if len(r.platforms) != len(krewPlatforms) {
			return nil, fmt.Errorf("the root %s is for all platforms\nhint: leave -platforms out", manifestFile)
		}
		if err := os.WriteFile(manifestFile, manifest, 0o644); err != nil {
			return nil, err
		}
	}
	return made, r.sizes(made)
}

// fresh empties the folder of what this program has made before.
func (r *releaser) fresh() error {
	for _, pattern := range []string{"bin", "image", "image.*", program + "_*", checksumsFile + "*", manifestFile} {
		old, err := filepath.Glob(filepath.Join(r.dist, pattern))
		if err != nil {
			return err
		}
		for _, file := range old {
			if err := os.RemoveAll(file); err != nil {
				return err
			}
		}
	}
	return os.MkdirAll(r.dist, 0o755)
}

// manifest writes krew's manifest for the platforms asked for.
func (r *releaser) manifest(made []archive) ([]byte, error) {
	byPlatform := make(map[platform]archive)
	for _, a := range made {
		byPlatform[a.platform] = a
	}
	var platforms []manifestPlatform
	for _, p := range r.platforms {
		a, ok := byPlatform[p.built()]
		if !ok {
			return nil, fmt.Errorf("no archive for %s", p)
		}
		platforms = append(platforms, manifestPlatform{p.os, p.arch, downloads + r.version + "/" + a.file, a.sha256, p.exe(program)})
	}
	t, err := template.New(manifestFile).Parse(manifestText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Name": pluginName, "Version": r.version, "Home": "https://" + modulePath, "Platforms": platforms})
	return b.Bytes(), err
}

// manifestHash reads the hash that a manifest has for a platform.
func manifestHash(data []byte, p platform) (version, sha256 string, err error) {
	var m struct {
		Spec struct {
			Version   string
			Platforms []struct {
				Selector struct {
					MatchLabels map[string]string `yaml:"matchLabels"`
				}
				SHA256 string `yaml:"sha256"`
			}
		}
	}
	if err := yaml.Unmarshal(data, &m); err != nil {
		return "", "", fmt.Errorf("%s: %w", manifestFile, err)
	}
	for _, have := range m.Spec.Platforms {
		if l := have.Selector.MatchLabels; l["os"] == p.os && l["arch"] == p.arch {
			return m.Spec.Version, have.SHA256, nil
		}
	}
	return m.Spec.Version, "", fmt.Errorf("%s: no platform %s\nhint: make krew-manifest", manifestFile, p)
}
