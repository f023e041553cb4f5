//go:build !ecr

package digest

func ecrSources() []source { return nil }
