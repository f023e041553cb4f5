package registry

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kubepromote/kubepromote/digest/internal/content"
	"github.com/kubepromote/kubepromote/internal/address"
	"github.com/kubepromote/kubepromote/internal/fault"
)

// maxAuthorities bounds a file of certificates.
const maxAuthorities = 1 << 20

// network makes connections. It has two sets of them, so that one that was made
// to a private registry by its name is not reused for what a public registry
// points to.
type network struct {
	// direct reaches registries, and what private registries point to; guarded
	// reaches what others point to.
	direct, guarded http.RoundTripper
	anywhere        bool // no address is forbidden
	certsDir        string

	proxies sync.Map // host and port of proxies in use
	mu      sync.Mutex
	own     map[string]*http.Transport // of registries with certificates of their own
}

func newNetwork(o Options) *network {
	n := &network{direct: o.Base, guarded: o.Base, anywhere: o.AllowLinkLocal}
	if o.Base == nil {
		n.direct, n.guarded = n.transport(address.Private), n.transport(address.Public)
		n.certsDir = cmp.Or(o.CertsDir, defaultCertsDir)
	}
	return n
}

// transport reaches addresses up to a class. Proxies and authorities come from
// the environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR.
func (n *network) transport(most address.Class) *http.Transport {
	return &http.Transport{
		Proxy:                  n.proxy,
		DialContext:            n.dial(most),
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           200,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

func (n *network) proxy(req *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(req)
	if u != nil {
		n.proxies.Store(hostPort(u), true)
	}
	return u, err
}

// proxied tells whether requests for a URL go to a proxy.
func (n *network) proxied(u *url.URL) bool {
	p, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	return p != nil || err != nil
}

// dial checks the address that a name turned out to be, when it is connected
// to. A proxy is named by the user and may be anywhere.
func (n *network) dial(most address.Class) func(context.Context, string, string) (net.Conn, error) {
	free := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	checked := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	checked.Control = func(_, addr string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(addr)
		if err != nil {
			return addressFault(addr, address.Forbidden)
		}
		class := address.Of(ap.Addr())
		if class == address.Forbidden && n.anywhere || class <= most {
			return nil
		}
		return addressFault(addr, class)
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if _, ok := n.proxies.Load(addr); ok {
			return free.DialContext(ctx, network, addr)
		}
		return checked.DialContext(ctx, network, addr)
	}
}

// of gives the connections to one registry: those of all, unless it has
// certificates of its own or needs none.
func (n *network) of(registry string, insecure bool) (http.RoundTripper, error) {
	direct, ok := n.direct.(*http.Transport)
	if !ok || n.certsDir == "" {
		return n.direct, nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.own[registry]; t != nil {
		return t, nil
	}
	config, err := readCerts(n.certsDir, registry)
	if err != nil {
		return nil, err
	}
	if config == nil && !insecure {
		return direct, nil
	}
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.InsecureSkipVerify = insecure
	t := direct.Clone()
	t.TLSClientConfig = config
	if n.own == nil {
		n.own = make(map[string]*http.Transport)
	}
	n.own[registry] = t
	return t, nil
}

// readCerts reads a registry's directory; nil means that there is none.
func readCerts(dir, registry string) (*tls.Config, error) {
	if !filepath.IsLocal(registry) || strings.ContainsAny(registry, `/\`) {
		return nil, nil
	}
	dir = filepath.Join(dir, registry)
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Text(dir + " cannot be read")
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, f := range files {
		file := filepath.Join(dir, f.Name())
		switch filepath.Ext(file) {
		case ".crt":
			err = addAuthority(config, file)
		case ".cert":
			var cert tls.Certificate
			cert, err = tls.LoadX509KeyPair(file, strings.TrimSuffix(file, ".cert")+".key")
			config.Certificates = append(config.Certificates, cert)
		}
		if err != nil {
			// The library's text may have a part of the key's file in it.
			return nil, &fault.Cause{Text: file + ": not a certificate that can be used", Err: err}
		}
	}
	return config, nil
}

func addAuthority(config *tls.Config, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	data, over, err := content.ReadAtMost(f, maxAuthorities)
	if err != nil || over {
		return errors.Join(err, errors.New("cannot be read, or is larger than 1 MiB"))
	}
	if config.RootCAs == nil {
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
	}
	if !config.RootCAs.AppendCertsFromPEM(data) {
		return errors.New("no certificate")
	}
	return nil
}

// closeIdle lets connections go that no request uses.
func (n *network) closeIdle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range n.own {
		t.CloseIdleConnections()
	}
	for _, t := range []http.RoundTripper{n.direct, n.guarded} {
		if c, ok := t.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}
