//go:build !ghcr

package credentials

func ghcrSources() []source { return nil }
