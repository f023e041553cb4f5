// Package loopback is an OCI registry in memory, on the loopback interface, with
// images that are signed as cosign signs them. The demonstration shows itself on
// it, and the scripts of the tests run against it. Nothing else links it: who
// imports a library of this module gets no registry with it.
package loopback

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

// Registry is a registry that runs until it is stopped.
type Registry struct {
	Host   string // and port, as references name it
	server *http.Server
}

// Start starts a registry on a free port; handle, unless nil, is put in front of it.
func Start(handle func(http.Handler) http.Handler) (*Registry, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("starting the registry: %w", err)
	}
	silent := log.New(io.Discard, "", 0)
	handler := registry.New(registry.Logger(silent), registry.WithReferrersSupport(true))
	if handle != nil {
		handler = handle(handler)
	}
	r := &Registry{Host: l.Addr().String(), server: &http.Server{Handler: handler, ErrorLog: silent}}
	go func() { _ = r.server.Serve(l) }() // ends with Stop
	return r, nil
}

// Stop ends it, and all connections with it.
func (r *Registry) Stop() { _ = r.server.Close() }

// Key signs as cosign does with a key.
type Key struct {
	Private *ecdsa.PrivateKey
	Public  []byte // PEM
	signer  signature.Signer
}

// NewKey makes a key on P-256.
func NewKey() (*Key, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadECDSASigner(key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	public, err := cryptoutils.MarshalPublicKeyToPEM(key.Public())
	return &Key{key, public, signer}, err
}

// Push pushes a small image and, unless key is nil, its signature.
func (r *Registry) Push(ctx context.Context, repository, tag string, key *Key) (v1.Hash, error) {
	ref, err := name.NewTag(r.Host + "/" + repository + ":" + tag)
	if err != nil {
		return v1.Hash{}, err
	}
	layer := static.NewLayer([]byte(repository+" "+tag), types.OCIUncompressedLayer)
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: layer})
	if err != nil {
		return v1.Hash{}, err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
		return v1.Hash{}, fmt.Errorf("pushing %s: %w", ref, err)
	}
	digest, err := img.Digest()
	if err != nil || key == nil {
		return digest, err
	}
	return digest, r.pushSignature(ctx, ref.Context(), digest, key)
}

// pushSignature stores a signature beside the image, in the tag sha256-….sig.
func (r *Registry) pushSignature(ctx context.Context, repo name.Repository, digest v1.Hash, key *Key) error {
	body, err := payload.Cosign{Image: repo.Digest(digest.String())}.MarshalJSON()
	if err != nil {
		return err
	}
	sig, err := key.signer.SignMessage(bytes.NewReader(body))
	if err != nil {
		return err
	}
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer:       static.NewLayer(body, "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(sig)},
	})
	if err != nil {
		return err
	}
	tag := repo.Tag(strings.Replace(digest.String(), ":", "-", 1) + ".sig")
	if err := remote.Write(tag, img, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("pushing %s: %w", tag, err)
	}
	return nil
}
