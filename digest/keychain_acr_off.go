//go:build !acr

package digest

func acrSources() []source { return nil }
