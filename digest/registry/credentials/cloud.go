package credentials

import "slices"

// cloudSources are the helpers of clouds. Each is in the program only when it
// is built with that tag: they bring their cloud's client library along.
func cloudSources() []source {
	return slices.Concat(ecrSources(), acrSources(), gcrSources(), ghcrSources())
}
