package cli

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kubepromote/kubepromote/promote"
	"github.com/kubepromote/kubepromote/promote/git/places"
	"github.com/kubepromote/kubepromote/promote/status"
	"github.com/spf13/cobra"
)

// completionLimit is how long a completion may look for names: a shell waits for
// it. What takes longer offers nothing.
const completionLimit = 2 * time.Second

// CompleteServices offers the services of the repository at hand.
func (s *Session) CompleteServices(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	s.forCompletion(cmd, func(_ context.Context, p *promote.Promoter) {
		names, _ = p.Pipeline.Services(p.Repo) // what cannot be read offers nothing
	})
	return Offer(names, args, word)
}

// CompleteEnvironments offers the environments of the pipeline, in its order.
func (s *Session) CompleteEnvironments(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	s.forCompletion(cmd, func(_ context.Context, p *promote.Promoter) {
		for _, e := range p.Pipeline.Spec.Environments {
			names = append(names, e.Name)
		}
	})
	return Offer(names, nil, word)
}

// CompleteTargets offers the environments of the pipeline and their groups.
func (s *Session) CompleteTargets(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	var names []string
	s.forCompletion(cmd, func(_ context.Context, p *promote.Promoter) {
		for _, e := range p.Pipeline.Spec.Environments {
			names = append(names, e.Name)
		}
		names = append(names, p.Pipeline.Groups()...)
	})
	return Offer(names, nil, word)
}

// CompleteImages offers the images of the services named, or of all where none
// is named.
func (s *Session) CompleteImages(cmd *cobra.Command, services []string, word string) ([]string, cobra.ShellCompDirective) {
	seen := make(map[string]bool)
	s.forCompletion(cmd, func(ctx context.Context, p *promote.Promoter) {
		// What could be read is there even where something else could not.
		statuses, _ := status.Read(ctx, p.Pipeline, p.Repo, services)
		for _, service := range statuses {
			for _, e := range service.Environments {
				for _, i := range e.Images {
					seen[i.Name] = true
				}
			}
		}
	})
	return Offer(slices.Sorted(maps.Keys(seen)), nil, word)
}

// forCompletion opens the repository; where it cannot be opened there is nothing
// to offer, and a shell's completion is no place to say so.
func (s *Session) forCompletion(cmd *cobra.Command, use func(context.Context, *promote.Promoter)) {
	if cmd.Flags().Changed("fleet") {
		return // which is about other repositories
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionLimit)
	defer cancel()
	s.Offline, s.Quiet = true, true
	p, repo, err := s.Open(ctx)
	if err != nil {
		return
	}
	defer repo.Close()
	p.Repo.(*places.Home).StayLocal()
	use(ctx, p)
}

// Offer gives those of the names that a shell may complete a word with, without
// those used already.
func Offer(names, used []string, word string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, n := range names {
		// A line break or a tab would be the end of the name, or of its line.
		if strings.HasPrefix(n, word) && !slices.Contains(used, n) && n == Clean(n) {
			out = append(out, n)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}
