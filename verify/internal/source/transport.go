package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/kubepromote/kubepromote/verify/internal/untrusted"
)

const (
	MaxTries     = 3
	FirstPause   = 100 * time.Millisecond
	LongestPause = time.Second
	maxRedirects = 10
)

// Retry repeats reads that fail in a way that may pass.
func Retry(next http.RoundTripper) http.RoundTripper { return &retrying{next} }

// retrying repeats reads that fail in a way that may pass. The one in
// go-containerregistry sleeps on when its caller has given up, and does not
// look at Retry-After.
type retrying struct{ next http.RoundTripper }

func (t *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	pause := FirstPause
	for try := 1; ; try++ {
		resp, err := t.next.RoundTrip(req)
		if try == MaxTries || req.Method != http.MethodGet && req.Method != http.MethodHead || req.Context().Err() != nil {
			return resp, err
		}
		wait, again := Worthwhile(resp, err)
		if !again || wait > LongestPause {
			return resp, err
		}
		if resp != nil {
			// A short answer is read to its end, so that the connection is kept.
			_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
			resp.Body.Close()
		}
		timer := time.NewTimer(max(pause, wait))
		select {
		case <-timer.C:
		case <-req.Context().Done():
			timer.Stop()
			return nil, req.Context().Err()
		}
		pause = min(3*pause, LongestPause)
	}
}

// Worthwhile says whether a second try may help, and what pause the registry
// asks for.
func Worthwhile(resp *http.Response, err error) (wait time.Duration, again bool) {
	if err != nil {
		var timeout net.Error
		return 0, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
			errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
			errors.As(err, &timeout) && timeout.Timeout() && !errors.Is(err, context.DeadlineExceeded)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
	default:
		return 0, false
	}
	if s := resp.Header.Get("Retry-After"); s != "" {
		seconds, err := strconv.Atoi(s)
		if err != nil || seconds > 3600 {
			return time.Hour, true // a date: more patience than there is here
		}
		wait = time.Duration(seconds) * time.Second
	}
	return wait, true
}

// CheckRedirect bounds redirects. Registries send readers of blobs to other
// hosts, but have no business in sending them from outside to an address of
// the machine or the network they run in.
func CheckRedirect(req *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch to := req.URL; {
	case len(via) >= maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case from.Scheme == "https" && to.Scheme != "https":
		return errors.New("redirect from https to " + untrusted.Quoted(to.Scheme))
	case from.Hostname() != to.Hostname() && IsInside(to.Hostname()):
		return errors.New("redirect to the private address " + untrusted.Quoted(to.Hostname()))
	}
	return nil
}

func IsInside(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost")
	}
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified()
}
