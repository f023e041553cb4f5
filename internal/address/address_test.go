package address

import "testing"

func TestOfHost(t *testing.T) {
	for host, want := range map[string]Class{
		"registry.example.com":        Public,
		"registry.example.com:5000":   Public,
		"203.0.113.7:443":             Public,
		"[2001:db8::1]:443":           Public,
		"localhost":                   Private,
		"localhost.:5000":             Private,
		"a.localhost:5000":            Private,
		"127.0.0.1:5000":              Private,
		"[::1]:5000":                  Private,
		"::1":                         Private,
		"10.1.2.3":                    Private,
		"172.16.0.1":                  Private,
		"192.168.1.1:80":              Private,
		"100.64.0.1":                  Private,
		"[fd12:3456::1]":              Private,
		"[::ffff:10.0.0.1]:80":        Private,
		"169.254.169.254":             Forbidden,
		"169.254.1.1:80":              Forbidden,
		"[fe80::1%25eth0]:80":         Forbidden,
		"[fe80::1]":                   Forbidden,
		"[fd00:ec2::254]:80":          Forbidden,
		"100.100.100.200":             Forbidden,
		"0.0.0.0:5000":                Forbidden,
		"[::]:5000":                   Forbidden,
		"224.0.0.1":                   Forbidden,
		"[ff02::1]":                   Forbidden,
		"[::ffff:169.254.169.254]:80": Forbidden,
		"[64:ff9b::a9fe:a9fe]":        Forbidden,
		"[64:ff9b::cb00:7107]":        Public,
	} {
		if got := OfHost(host); got != want {
			t.Errorf("OfHost(%q) = %d, want %d", host, got, want)
		}
	}
}
