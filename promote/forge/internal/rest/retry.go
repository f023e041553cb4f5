package rest

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// retry says whether a request may be made again, and after how long.
func (c *Client) retry(method string, a *answer, err error, try int) (time.Duration, bool) {
	backoff := time.Second << try
	var known *Failed
	switch {
	case err != nil:
		return backoff, try+1 < maxTries && method == http.MethodGet && !errors.As(err, &known)
	case a.limited():
		return c.untilLifted(a, backoff), try+1 < maxTries
	case a.status == http.StatusBadGateway, a.status == http.StatusServiceUnavailable, a.status == http.StatusGatewayTimeout:
		return backoff, try+1 < maxTries && method == http.MethodGet
	}
	return 0, false
}

// limited tells a rate limit, for which GitHub has 403 as well.
func (a *answer) limited() bool {
	switch a.status {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return a.header.Get("Retry-After") != "" || a.header.Get("X-RateLimit-Remaining") == "0" || bytes.Contains(a.body, []byte("secondary rate limit"))
	}
	return false
}

// untilLifted is how long a rate limit lasts, as far as the service says so.
func (c *Client) untilLifted(a *answer, backoff time.Duration) time.Duration {
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	if after := a.header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.ParseUint(after, 10, 31); err == nil {
			return time.Duration(seconds) * time.Second
		}
		if at, err := http.ParseTime(after); err == nil {
			return max(at.Sub(now()), time.Second)
		}
	}
	for _, name := range []string{"X-RateLimit-Reset", "RateLimit-Reset"} {
		if at, err := strconv.ParseInt(a.header.Get(name), 10, 64); err == nil {
			// A second more, for the two clocks are not the same.
			return max(time.Unix(at, 0).Sub(now()), 0) + time.Second
		}
	}
	return backoff
}
