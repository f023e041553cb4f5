//go:build !ecr

package credentials

func ecrSources() []source { return nil }
