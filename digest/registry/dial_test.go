package registry

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubepromote/kubepromote/internal/address"
)

// What a name turned out to be is checked when it is connected to.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	n := newNetwork(Options{})
	for _, tt := range []struct {
		most address.Class
		host string
		ok   bool
	}{
		{address.Private, "127.0.0.1", true},
		{address.Public, "127.0.0.1", false},
		{address.Public, "localhost", false}, // a name
		{address.Private, "0.0.0.0", false},
		{address.Private, "169.254.169.254", false},
		{address.Private, "::ffff:169.254.169.254", false},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		conn, err := n.dial(tt.most)(ctx, "tcp", net.JoinHostPort(tt.host, port))
		cancel()
		if (err == nil) != tt.ok || err != nil && !strings.HasSuffix(err.Error(), "address: not asked") {
			t.Errorf("%s up to %d: %v", tt.host, tt.most, err)
		}
		if conn != nil {
			conn.Close()
		}
	}
	n.proxies.Store(net.JoinHostPort("127.0.0.1", port), true)
	conn, err := n.dial(address.Public)(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		t.Fatalf("a proxy of the user's: %v", err)
	}
	conn.Close()
}
