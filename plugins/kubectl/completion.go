package kubectl

import (
	"sort"
	"strings"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/spf13/cobra"
)

// completeServices offers the services of the repository at hand.
func (s *session) completeServices(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	s.forCompletion(cmd, func(p *promote.Promoter) {
		overlays, err := p.Pipeline.Spec.Layout.Overlays(p.Repo)
		if err != nil {
			return
		}
		for name := range overlays {
			names = append(names, name)
		}
	})
	sort.Strings(names)
	return offer(names, args, word)
}

// completeEnvironments offers the environments of the pipeline, in its order.
func (s *session) completeEnvironments(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	s.forCompletion(cmd, func(p *promote.Promoter) {
		for _, e := range p.Pipeline.Spec.Environments {
			names = append(names, e.Name)
		}
	})
	return offer(names, nil, word)
}

// forCompletion opens the repository; where it cannot be opened there is nothing
// to offer, and a shell's completion is no place to say so.
func (s *session) forCompletion(cmd *cobra.Command, use func(*promote.Promoter)) {
	s.offline, s.quiet = true, true
	p, repo, err := s.open(cmd.Context())
	if err != nil {
		return
	}
	defer repo.Close()
	use(p)
}

func offer(names, used []string, word string) ([]string, cobra.ShellCompDirective) {
	taken := make(map[string]bool)
	for _, u := range used {
		taken[u] = true
	}
	var out []string
	for _, n := range names {
		if strings.HasPrefix(n, word) && !taken[n] {
			out = append(out, n)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
