//go:build !gcr

package digest

func gcrSources() []source { return nil }
