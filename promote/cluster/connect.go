package cluster

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubepromote/kubepromote/internal/fault"
	"github.com/kubepromote/kubepromote/internal/spelling"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Options say which clusters there are. The zero value has those that kubectl has.
type Options struct {
	// Kubeconfig, if not empty, is the file that is read in place of those that
	// KUBECONFIG names.
	Kubeconfig string
	// Context, if not empty, is the one that is asked where none is named, in place of the
	// current one.
	Context string
	// UserAgent is what servers are told.
	UserAgent string
	// Timeout bounds one request; by default 30 seconds.
	Timeout time.Duration
	// Sleep, if not nil, is how requests wait before they are sent again.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Clusters are those of a kubeconfig. Nothing is read before a cluster is asked, and one
// connection serves all questions to a context.
type Clusters struct {
	options Options

	mu    sync.Mutex
	known map[string]*connection // by context
}

// New makes clusters.
func New(o Options) *Clusters {
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	return &Clusters{options: o, known: make(map[string]*connection)}
}

// connection is what one context leads to.
type connection struct {
	// context is its name; empty for the cluster that this process runs in.
	context   string
	namespace string
	base      *url.URL
	http      *http.Client
	sleep     func(ctx context.Context, d time.Duration) error

	mu    sync.Mutex
	kinds map[string][]resource // by group and version, of those that were asked for
}

// connect gives the connection of a context; that of the current one where it is empty.
func (c *Clusters) connect(name string) (*connection, error) {
	name = cmp.Or(name, c.options.Context)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[name]; known != nil {
		return known, nil
	}
	made, err := c.dial(name)
	if err != nil {
		return nil, err
	}
	c.known[name] = made
	return made, nil
}

// Check tells what is wrong with a context of the kubeconfig, the current one where it is
// empty. No cluster is asked.
func (c *Clusters) Check(name string) error {
	_, err := c.connect(name)
	return err
}

// loader reads the kubeconfig.
func (c *Clusters) loader(name string) clientcmd.ClientConfig {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.options.Kubeconfig
	rules.Warner = func(error) {} // files that are not there: what they lack is told below
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: name})
}

func (c *Clusters) dial(name string) (*connection, error) {
	loader := c.loader(name)
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, unreadable(err)
	}
	if name == "" {
		name = raw.CurrentContext
	}
	if _, ok := raw.Contexts[name]; name != "" && !ok {
		names := slices.Sorted(maps.Keys(raw.Contexts))
		return nil, &Error{Msg: fmt.Sprintf("the kubeconfig has no context %q", fault.Shorten(name)), Hint: contextHint(name, names)}
	}
	if err := whole(raw.Contexts[name], name, raw); err != nil {
		return nil, err
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, unreadable(err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, unreadable(err)
	}
	config.UserAgent, config.Timeout = c.options.UserAgent, c.options.Timeout
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, unreadable(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, unreadable(err)
	}
	// Whoever sends elsewhere would be sent the credentials.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &connection{context: name, namespace: namespace, base: base, http: client, sleep: c.options.Sleep, kinds: make(map[string][]resource)}, nil
}

// whole finds what a context names and the kubeconfig does not have. Whoever reads it after this
// takes a context without its cluster for no kubeconfig at all.
func whole(context *api.Context, name string, raw api.Config) error {
	if context == nil {
		return nil
	}
	lacks := func(what, called string) error {
		return &Error{Msg: fmt.Sprintf("context %q is of the %s %q, which the kubeconfig does not have", fault.Shorten(name), what, fault.Shorten(called)), Hint: "kubectl config view"}
	}
	if raw.Clusters[context.Cluster] == nil {
		return lacks("cluster", context.Cluster)
	}
	if raw.AuthInfos[context.AuthInfo] == nil && context.AuthInfo != "" {
		return lacks("user", context.AuthInfo)
	}
	return nil
}

// Contexts are the names of the contexts of the kubeconfig, sorted.
func (c *Clusters) Contexts() ([]string, error) {
	raw, err := c.loader("").RawConfig()
	if err != nil {
		return nil, unreadable(err)
	}
	return slices.Sorted(maps.Keys(raw.Contexts)), nil
}

// contextHint is what may be meant by a context that there is not.
func contextHint(name string, known []string) string {
	if len(known) == 0 {
		return "set KUBECONFIG"
	}
	if hint := spelling.Hint(name, known); strings.HasPrefix(hint, "did you mean") {
		return hint
	}
	return "kubectl config get-contexts"
}

// unreadable is the error of a kubeconfig that cannot be used. What it says may have
// several lines, and what stands in the file.
func unreadable(err error) error {
	hint := "kubectl config view"
	if clientcmd.IsEmptyConfig(err) {
		return &Error{Msg: "there is no kubeconfig, and no cluster around this process", Hint: "set KUBECONFIG", Err: err}
	}
	return &Error{Msg: "the kubeconfig cannot be used: " + fault.OneLine(fault.WithoutURLs(err.Error())), Hint: hint, Err: err}
}

// where names the context in messages.
func (c *connection) where() string {
	if c.context == "" {
		return "the cluster around this process"
	}
	return "context " + c.context
}

// Error is why something could not be told.
type Error struct {
	Msg string
	// Hint, if any, can be typed or done.
	Hint string
	// Err, if any, is the cause, whose text is not for printing.
	Err error
	// absent tells that the server is sure that there is no such object.
	absent bool
	// whole tells that nothing else of the cluster can be read either.
	whole bool
}

// Error is the message: one line, without credentials.
func (e *Error) Error() string { return e.Msg }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// HintText is the hint.
func (e *Error) HintText() string { return e.Hint }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
