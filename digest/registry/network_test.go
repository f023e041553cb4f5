package registry_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/kubepromote/kubepromote/digest"
	"github.com/kubepromote/kubepromote/digest/registry"
	"github.com/kubepromote/kubepromote/digest/registry/credentials"
)

// tlsRegistry has one image, "a:b", and wants a certificate if want is given.
func tlsRegistry(t *testing.T, want *x509.CertPool) (s *httptest.Server, protocol *atomic.Value) {
	t.Helper()
	protocol = &atomic.Value{}
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("a", 64))
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "7")
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	if want != nil {
		s.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: want}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, protocol
}

// noKeys keeps tests away from the credentials of whoever runs them.
func noKeys() authn.Keychain {
	return credentials.NewKeychain(credentials.KeychainOptions{WithoutDefault: true})
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// clientCert writes client.cert and client.key and returns who signed it: itself.
func clientCert(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "client.cert"), "CERTIFICATE", der)
	writePEM(t, filepath.Join(dir, "client.key"), "PRIVATE KEY", keyDER)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

// A registry's directory has the authorities it may have and the client's own
// certificate, and HTTP/2 is spoken with them.
func TestCertsDir(t *testing.T) {
	clientDir, certs := t.TempDir(), t.TempDir()
	s, protocol := tlsRegistry(t, clientCert(t, clientDir))
	host := strings.TrimPrefix(s.URL, "https://")
	resolve := func() error {
		tr := registry.New(registry.Options{Keychain: noKeys(), CertsDir: certs})
		defer tr.CloseIdleConnections()
		_, err := digest.NewResolver(digest.Options{Client: tr}).Resolve(t.Context(), host+"/a:b")
		return err
	}
	if err := resolve(); err == nil || !strings.Contains(err.Error(), "certificate not accepted") {
		t.Errorf("without a directory: %v", err)
	}
	dir := filepath.Join(certs, host)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, "ca.crt"), "CERTIFICATE", s.Certificate().Raw)
	if err := resolve(); err == nil {
		t.Error("without a client's certificate it was let in")
	}
	for _, f := range []string{"client.cert", "client.key"} {
		data, err := os.ReadFile(filepath.Join(clientDir, f))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, f), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := resolve(); err != nil {
		t.Error(err)
	}
	if p := protocol.Load(); p != "HTTP/2.0" {
		t.Errorf("spoke %v", p)
	}
	if err := os.WriteFile(filepath.Join(dir, "client.key"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := resolve(); err == nil || !strings.HasSuffix(err.Error(), "client.cert: not a certificate that can be used") {
		t.Errorf("with a key that is none: %v", err)
	}
}

// Where the configuration says insecure, a certificate is not checked.
func TestInsecure(t *testing.T) {
	s, _ := tlsRegistry(t, nil)
	host := strings.TrimPrefix(s.URL, "https://")
	registries, err := registry.ParseConfig("registries.conf", []byte("[[registry]]\nlocation = \""+host+"\"\ninsecure = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	tr := registry.New(registry.Options{Keychain: noKeys(), Registries: registries})
	defer tr.CloseIdleConnections()
	if _, err := digest.NewResolver(digest.Options{Client: tr}).Resolve(t.Context(), host+"/a:b"); err != nil {
		t.Error(err)
	}
}

// TestEnvironment runs itself again, as net/http and crypto/x509 read the
// environment once: a proxy leads to the registry, whose certificate's authority
// is in SSL_CERT_FILE.
func TestEnvironment(t *testing.T) {
	if os.Getenv("DIGEST_TEST_PROXIED") != "" {
		r := digest.NewResolver(digest.Options{Client: registry.New(registry.Options{Keychain: noKeys()})})
		res, err := r.Resolve(t.Context(), "example.com/a:b")
		if err != nil || res.Digest == "" {
			t.Fatalf("got %+v, %v", res, err)
		}
		return
	}
	s, _ := tlsRegistry(t, nil)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, ca, "CERTIFICATE", s.Certificate().Raw)
	proxy, asked := tunnel(t, s.Listener.Addr().String())
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEnvironment$", "-test.v")
	cmd.Env = append(os.Environ(), "DIGEST_TEST_PROXIED=1", "HTTPS_PROXY=http://"+proxy, "NO_PROXY=", "no_proxy=", "https_proxy=", "SSL_CERT_FILE="+ca)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := asked.Load(); got != "CONNECT example.com:443" {
		t.Errorf("the proxy was asked to %v", got)
	}
}

// tunnel is a proxy that leads everything to one address.
func tunnel(t *testing.T, to string) (string, *atomic.Value) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked := &atomic.Value{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				asked.Store(req.Method + " " + req.Host)
				there, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer there.Close()
				fmt.Fprint(conn, "HTTP/1.1 200 OK\r\n\r\n")
				go io.Copy(there, r)
				io.Copy(conn, there)
			}()
		}
	}()
	return l.Addr().String(), asked
}
