//go:build !ghcr

package digest

func ghcrSources() []source { return nil }
