// Package address says which network addresses a registry, or what a registry
// points to, may be at. A registry's answers are not trusted: they must not
// make this program ask the metadata service of the cloud it runs in.
package address

import (
	"net"
	"net/netip"
	"strings"
)

// Class is how far an address reaches.
type Class int

const (
	// Public is everything else.
	Public Class = iota
	// Private is loopback, RFC 1918, RFC 6598 or RFC 4193: this machine or
	// this organisation's network.
	Private
	// Forbidden is link-local, multicast, unspecified or a cloud's metadata
	// service: no registry is there.
	Forbidden
)

// nat64 carries an IPv4 address in its last four bytes (RFC 6052).
var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	shared    = netip.MustParsePrefix("100.64.0.0/10")
	metadata4 = netip.MustParseAddr("100.100.100.200")
	metadata6 = netip.MustParseAddr("fd00:ec2::254")
)

// Of classifies an address. An IPv4 address inside an IPv6 one counts as itself.
func Of(a netip.Addr) Class {
	a = a.Unmap().WithZone("")
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a.IsLinkLocalUnicast(), a == metadata4, a == metadata6:
		return Forbidden
	case a.IsLoopback(), a.IsPrivate(), shared.Contains(a):
		return Private
	}
	return Public
}

// OfHost classifies a host of a URL, with or without a port, when it is an
// address or a name for this machine. Whether a name is in the DNS is not
// asked: such a name is Public here, and its addresses are checked when dialled.
func OfHost(host string) Class {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return Private
	}
	a, err := netip.ParseAddr(name)
	if err != nil {
		return Public
	}
	return Of(a)
}
