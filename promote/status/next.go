package status

import (
	"slices"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// Drift is how far an environment is behind those that it is promoted from.
type Drift struct {
	Environment string   `json:"environment"`
	From        []string `json:"from,omitempty"`
	// Behind are the services that have something to promote, in the order of the statuses.
	Behind []string `json:"behind,omitempty"`
	// Held are those of them that something holds, and Pending those that an open pull
	// request is there for. Neither is to be promoted now.
	Held    []string `json:"held,omitempty"`
	Pending []string `json:"pending,omitempty"`
	// Unknown are those of which nobody can tell whether they are behind: an overlay cannot
	// be read, here or where they are promoted from.
	Unknown []string `json:"unknown,omitempty"`
}

// Drifts tells for each environment what is behind.
func Drifts(p *pipeline.Pipeline, statuses []Service) []Drift {
	out := make([]Drift, len(p.Spec.Environments))
	for i, env := range p.Spec.Environments {
		d := &out[i]
		d.Environment, d.From = env.Name, env.From
		for _, st := range statuses {
			e := st.Environments[i]
			switch {
			case e.Error != "" && len(env.From) > 0, len(e.UnknownFrom) > 0 && !e.Differs:
				d.Unknown = append(d.Unknown, st.Service)
				continue
			case e.Error != "" || !e.Differs:
				continue
			case e.Held != nil:
				d.Held = append(d.Held, st.Service)
			case len(e.Pending) > 0:
				d.Pending = append(d.Pending, st.Service)
			}
			d.Behind = append(d.Behind, st.Service)
		}
	}
	return out
}

// Next are the services that are to be promoted now.
func (d Drift) Next() []string {
	return slices.DeleteFunc(slices.Clone(d.Behind), func(name string) bool {
		return slices.Contains(d.Held, name) || slices.Contains(d.Pending, name)
	})
}

// Telling is how a person names an image of a service: by its tag, and by the digest as well
// where the service has the tag for another one elsewhere.
func (s Service) Telling(image Image) string {
	const digits = len("sha256:") + 12
	short := image.Short()
	if image.Tag == "" || len(image.Digest) < digits {
		return short
	}
	for _, e := range s.Environments {
		for _, i := range e.Images {
			if i.Name == image.Name && i.Tag == image.Tag && i.Digest != "" && i.Digest != image.Digest {
				return short + "@" + image.Digest[len("sha256:"):digits]
			}
		}
	}
	return short
}
