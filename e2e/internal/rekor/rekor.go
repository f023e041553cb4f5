// Package rekor runs a transparency log with the interface of Rekor's first
// version, as far as clients need it to add an entry. It keeps nothing: every
// entry is the first of a log of its own.
package rekor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"
)

// origin is the name of the log in its checkpoints, and so in trusted roots.
const origin = "rekor.localhost"

// Server is a running log. The caller closes it.
type Server struct {
	*httptest.Server

	key *ecdsa.PrivateKey
	der []byte // the public key
}

// Start runs a log on a loopback port.
func Start() (*Server, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	s := &Server{key: key, der: der}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/log/entries", s.add)
	s.Server = httptest.NewServer(mux)
	return s, nil
}

// PublicKey gives the log's key in PEM form.
func (s *Server) PublicKey() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.der})
}

// add answers as Rekor does for a new entry: with a promise, and a proof that it
// is in the log.
func (s *Server) add(w http.ResponseWriter, r *http.Request) {
	uuid, entry, err := s.entry(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Location", "/api/v1/log/entries/"+uuid)
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{uuid: entry}) // a client that is gone needs none
}

func (s *Server) entry(r io.Reader) (uuid string, entry map[string]any, err error) {
	var proposed map[string]any
	if err := json.NewDecoder(io.LimitReader(r, 1<<20)).Decode(&proposed); err != nil {
		return "", nil, err
	}
	body, err := json.Marshal(proposed) // with sorted keys, the canonical form
	if err != nil {
		return "", nil, err
	}
	id := sha256.Sum256(s.der)
	fields := map[string]any{"body": body, "integratedTime": time.Now().Unix(), "logID": hex.EncodeToString(id[:]), "logIndex": 0}
	promised, err := json.Marshal(fields)
	if err != nil {
		return "", nil, err
	}
	promise, err := s.sign(promised)
	if err != nil {
		return "", nil, err
	}
	// The root of a tree with one leaf is the leaf's hash.
	root := sha256.Sum256(append([]byte{0}, body...))
	checkpoint, err := s.checkpoint(id[:4], root[:])
	if err != nil {
		return "", nil, err
	}
	fields["verification"] = map[string]any{
		"signedEntryTimestamp": promise,
		"inclusionProof": map[string]any{"logIndex": 0, "treeSize": 1, "rootHash": hex.EncodeToString(root[:]),
			"hashes": []string{}, "checkpoint": checkpoint},
	}
	return hex.EncodeToString(root[:]), fields, nil
}

// checkpoint is a signed note, as transparency logs write it.
func (s *Server) checkpoint(hint, root []byte) (string, error) {
	// The tree's number behind the name shows that this is Rekor's first version.
	text := fmt.Sprintf("%s - 1\n1\n%s\n", origin, base64.StdEncoding.EncodeToString(root))
	signature, err := s.sign([]byte(text))
	return fmt.Sprintf("%s\n— %s %s\n", text, origin, base64.StdEncoding.EncodeToString(append(hint[:len(hint):len(hint)], signature...))), err
}

func (s *Server) sign(data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return ecdsa.SignASN1(rand.Reader, s.key, sum[:])
}
