//go:build !gcr

package credentials

func gcrSources() []source { return nil }
