package history

import (
	"slices"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// mostMoves is how many times the paths of files are followed in one history.
const mostMoves = 100

// walk visits the commits. Where a file has got its path by a rename, they are visited from
// there on with the path that it had.
func (h *historian) walk(specs []string) error {
	err := h.log.Commits(h.ctx, specs, h.commit)
	for err == nil && h.moved != "" {
		from, all := h.moved, slices.Clone(specs)
		h.moved = ""
		h.moves++
		for file := range h.followed {
			all = append(all, literal(file))
		}
		err = h.log.(Follower).CommitsBefore(h.ctx, from, all, h.commit)
	}
	return err
}

// follow looks for the paths that files had which a commit adds. It is one more look at
// the commit, so that only the files of services that are named are followed.
func (h *historian) follow(c Commit, here map[pendingKey]*pendingChange) error {
	log, ok := h.log.(Follower)
	if !ok || len(h.wanted) == 0 || len(c.Parents) == 0 || h.moves == mostMoves {
		return nil
	}
	added := make(map[string]*pendingChange)
	for _, p := range here {
		if p.file.Old == "" && p.file.New != "" {
			added[p.file.Path] = p
		}
	}
	if len(added) == 0 {
		return nil
	}
	renames, err := log.Renames(h.ctx, c.Hash)
	if err != nil {
		return err
	}
	for _, r := range renames {
		if p := added[r.To]; p != nil {
			if h.followed == nil {
				h.followed = make(map[string]pipeline.Site)
			}
			p.file.Old, h.followed[r.From], h.moved = r.Old, p.site, c.Hash
		}
	}
	return nil
}

// match gives the sites that a file is of, under the path that it has or had.
func (h *historian) match(file string) []pipeline.Site {
	if one, ok := h.followed[file]; ok {
		return []pipeline.Site{one}
	}
	return h.pipeline.Match(file)
}

// named notes the files of values that others name now, and gives their pathspecs.
func (h *historian) named() []string {
	all := h.req.Named
	if all == nil {
		overlays, _ := h.sites.All(h.environments...) // what cannot be listed names nothing
		for service, environments := range overlays {
			for _, sites := range environments {
				if len(h.wanted) > 0 && !h.wanted[service] && !h.wanted[sites[0].FullName()] {
					continue
				}
				all = append(all, h.sites.WithNamed(sites)...)
			}
		}
	}
	var specs []string
	for _, one := range all {
		if one.IsNamed() && slices.Contains(h.environments, one.Environment) {
			if h.followed == nil {
				h.followed = make(map[string]pipeline.Site)
			}
			h.followed[one.Path], specs = one, append(specs, literal(one.Path))
		}
	}
	return specs
}
