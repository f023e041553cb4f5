package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/kubepromote/kubepromote/e2e/internal/registry"
	"golang.org/x/sync/errgroup"
)

// The targets.
const (
	verifyTimes = 90.0 // as fast as cosign one by one, at least
	verifyFloor = 1.0  // as long as the bare client, at most
)

const fleetPolicy = `apiVersion: kubepromote.dev/v1alpha1
kind: VerificationPolicy
spec:
  unmatched: reject
  rules:
  - images: ["**"]
    authorities:
    - name: release
      key: {file: cosign.pub}
`

// verify compares the verification of a fleet of signed images with cosign one
// by one, and with a bare client that reads the same manifests and blobs.
func (b *bench) verify(ctx context.Context) error {
	dir := filepath.Join(b.dir, "fleet")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r, err := registry.Start(ctx, registry.Options{Program: b.registry, Dir: dir})
	if err != nil {
		return err
	}
	defer r.Stop()
	images, err := b.signFleet(ctx, r.Host, dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ours := command{dir: dir, name: b.product, args: append([]string{"verify", "--verify-policy", "policy.yaml"}, images...)}
	floor := command{dir: dir, name: self, args: []string{getsArg, "urls"}}
	a, k, err := inTurns(ctx, 5, ours.run, floor.run)
	if err != nil {
		return err
	}
	const few = 100
	cosign, err := b.oneByOne(ctx, images[:few], func(image string) command {
		return command{dir: dir, name: b.cosign, args: []string{"verify", "--key", "cosign.pub", "--insecure-ignore-tlog=true", "--allow-http-registry", image}}
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("verify %d", len(images))
	b.report(what, "kubectl-promote verify", a)
	b.report("", "bare client", k)
	b.report("", fmt.Sprintf("cosign verify, %d one by one", few), costs{cosign})
	b.least(what, cosign.wall.Seconds()/few*float64(len(images))/a.wall(), "× as fast as cosign one by one", verifyTimes, a)
	b.most(what, a.wall()/k.wall(), "× a bare client", verifyFloor, a)
	return nil
}

// signFleet fills a registry with images that are signed as cosign does it, and
// writes the key, the policy and the addresses of the signatures.
func (b *bench) signFleet(ctx context.Context, host, dir string) ([]string, error) {
	fmt.Fprintln(os.Stderr, "filling a registry with 1000 signed images")
	refs, err := registry.Fill(ctx, host, authn.Anonymous, 100, 10)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	images, urls := make([]string, len(refs)), make([]string, len(refs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, ref := range refs {
		group.Go(func() (err error) {
			images[i], urls[i], err = sign(ctx, ref, key)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for file, text := range map[string]string{"cosign.pub": string(public), "policy.yaml": fleetPolicy, "urls": strings.Join(urls, "\n")} {
		if err := writeFile(filepath.Join(dir, file), text); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// sign pushes a signature under the tag that cosign uses, and gives the image by
// its digest and the URLs of the signature's manifest and payload.
func sign(ctx context.Context, ref string, key *ecdsa.PrivateKey) (image, urls string, err error) {
	tag, err := name.NewTag(ref)
	if err != nil {
		return "", "", err
	}
	desc, err := remote.Head(tag, remote.WithContext(ctx))
	if err != nil {
		return "", "", err
	}
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, tag.Repository.Name(), desc.Digest)
	sum := sha256.Sum256(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return "", "", err
	}
	signed, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signature)},
	})
	if err != nil {
		return "", "", err
	}
	at := tag.Repository.Tag("sha256-" + desc.Digest.Hex + ".sig")
	if err := remote.Write(at, signed, remote.WithContext(ctx)); err != nil {
		return "", "", err
	}
	blob, _, err := v1.SHA256(bytes.NewReader(payload))
	base := "http://" + tag.RegistryStr() + "/v2/" + tag.RepositoryStr()
	return tag.Repository.Digest(desc.Digest.String()).String(), base + "/manifests/" + at.TagStr() + " " + base + "/blobs/" + blob.String(), err
}
