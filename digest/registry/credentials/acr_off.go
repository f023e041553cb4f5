//go:build !acr

package credentials

func acrSources() []source { return nil }
