package discovery

import (
	"cmp"
	"strings"
)

// stages ranks the usual words for environments by how far they are from users.
var stages = map[string]int{
	"dev": 0, "develop": 0, "development": 0, "devel": 0, "sandbox": 0,
	"test": 1, "testing": 1, "tst": 1, "int": 1, "integration": 1, "sit": 1, "ci": 1,
	"qa":      2,
	"staging": 3, "stage": 3, "stg": 3,
	"uat": 4, "acceptance": 4, "acc": 4, "nonprod": 4,
	"preprod": production - 1, "preproduction": production - 1, "preprd": production - 1,
	"prod": production, "production": production, "prd": production, "live": production,
}

const (
	production = 6
	// Rings follow one another by their numbers.
	firstRing = production + 1
)

// regions are words that tell environments of one stage apart, also with a number
// behind them: regions and sides of the world.
var regions = set(`eu us uk de fr ch ap apac emea amer na sa ca au jp br cn
	east west north south central northeast southeast northwest southwest
	europe asia america australia canada useast uswest uscentral euwest eucentral eunorth
	euw eus euc use usw usc apne apse eastus westus centralus westeurope northeurope`)

// sides are such words too, but only beside a stage: kinds of clusters, clouds, halves.
// Alone they may be services.
var sides = set(`ocp okd eks aks gke rke k3s k8s cluster aws gcp azure hub spoke edge primary secondary dr blue green zone region az`)

// structure are names of folders that hold services or environments and are none:
// they stay in a template as they are.
var structure = set(`overlays overlay environments environment envs env clusters cluster bases base variants
	kustomize kustomization kustomizations helm charts chart k8s kubernetes kube deploy deployment deployments
	manifests manifest apps app applications services components microservices workloads gitops argocd argo-cd argo flux
	flux-system fleet helmfile values helm-values rings regions teams namespaces tenants projects releases
	helmreleases image-tags images tags versions overrides config configs configuration patches resources
	infrastructure infra src stacks stages targets`)

// aside are folders that show or test something. What stands there is used where
// there is nothing else.
var aside = set(`docs doc documentation examples example samples sample demo demos tests e2e hack tmp templates archive archived deprecated`)

// weak are names that a service seldom has: they are not taken for one as long as
// they are the only one.
var weak = set(`platform tools tooling addons common shared core system default global main root cluster-config
	bootstrap setup ops devops org company team repo gitops-repo iac terraform delivery cd`)

// parts are words of file names that say what a file is, and not of which service.
var parts = set(`values value patch patches deployment deploy deployments helmrelease helmreleases release releases hr
	kustomization kustomize image images config configs configmap settings version versions env envs environment overlay
	application appset applicationset statefulset daemonset rollout cronjob job manifest manifests base common default
	tags tag params parameters vars variables overrides override secrets helm chart container containers`)

// wholeNames are names of files that tell no service, unless there is more to them.
var wholeNames = set(`service services app apps ingress namespace main index all resources cluster infrastructure system
	workload workloads pod pods web-app release-values`)

// foreign are parts of names of files that hold images which no cluster runs, beside those of
// Docker Compose.
var foreign = []string{"gitlab-ci", "azure-pipelines", "bitbucket-pipelines", "cloudbuild", "skaffold", "buildspec",
	"renovate", "package.json", "package-lock", "tsconfig", "composer."}

func set(words string) map[string]bool {
	out := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}

// span is a part of a text that names an environment.
type span struct {
	start, end int
	rank       int
}

// token is a part of a name between separators.
type token struct{ start, end int }

func isSeparator(b byte) bool { return b == '-' || b == '.' || b == '_' }

func tokens(s string) []token {
	var out []token
	start := 0
	for i := 0; i <= len(s); i++ {
		if i == len(s) || isSeparator(s[i]) {
			if i > start {
				out = append(out, token{start, i})
			}
			start = i + 1
		}
	}
	return out
}

// stage tells the rank of a word, which may have a number behind it.
func stage(word string) (int, bool) {
	word = strings.ToLower(word)
	if rank, ok := stages[word]; ok {
		return rank, true
	}
	bare := strings.TrimRight(word, "0123456789")
	if n := len(word) - len(bare); n == 0 || n > 3 {
		return 0, false
	}
	if bare == "ring" {
		return firstRing + number(word[len(bare):]), true
	}
	rank, ok := stages[bare]
	return rank, ok
}

func number(digits string) int {
	n := 0
	for _, d := range []byte(digits) {
		n = n*10 + int(d-'0')
	}
	return n
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 3 && strings.Trim(s, "0123456789") == ""
}

// isRegion tells a word that tells environments of one stage apart.
func isRegion(word string) bool {
	bare := strings.TrimRight(strings.ToLower(word), "0123456789")
	return isNumber(word) || regions[bare] || sides[bare]
}

// allRegions tells a name that is a region as a whole, such as us-east-1.
func allRegions(name string) bool {
	words, sure := tokens(name), false
	for _, t := range words {
		word := name[t.start:t.end]
		if !isRegion(word) {
			return false
		}
		bare := strings.TrimRight(strings.ToLower(word), "0123456789")
		sure = sure || regions[bare] || len(bare) < len(word)
	}
	return sure
}

// environmentsIn finds the names of environments in a path element: a word for a
// stage with the regions, numbers and clusters that stand right beside it.
func environmentsIn(s string) []span {
	words := tokens(s)
	text := func(i int) string { return s[words[i].start:words[i].end] }
	var out []span
	for i := 0; i < len(words); i++ {
		first, last := i, i
		rank, ok := stage(text(i))
		if i+1 < len(words) {
			switch before, next := strings.ToLower(text(i)), strings.ToLower(text(i+1)); {
			case before == "pre" && stages[next] == production:
				rank, ok, last = production-1, true, i+1
			case before == "non" && stages[next] == production:
				rank, ok, last = stages["nonprod"], true, i+1
			case before == "ring" && isNumber(next):
				rank, ok, last = firstRing+number(next), true, i+1
			}
		}
		if !ok {
			continue
		}
		for first > 0 && isRegion(text(first-1)) {
			first--
		}
		for last+1 < len(words) && isRegion(text(last+1)) {
			last++
		}
		out = append(out, span{words[first].start, words[last].end, rank})
		i = last
	}
	return out
}

// region gives what tells an environment from others of its stage.
func region(text string) string {
	text = name(text)
	found := environmentsIn(text)
	if len(found) == 0 {
		return ""
	}
	text = text[found[0].start:found[0].end]
	var out []string
	for _, t := range tokens(text) {
		if word := text[t.start:t.end]; isRegion(word) {
			out = append(out, word)
		}
	}
	return strings.Join(out, "-")
}

// rankOf is the rank of an environment's text.
func rankOf(text string) int {
	best := -1
	for _, s := range environmentsIn(name(text)) {
		best = max(best, s.rank)
	}
	return best
}

// byRank orders environments by how far they are from users.
func byRank(a, b string) int { return cmp.Or(cmp.Compare(rankOf(a), rankOf(b)), cmp.Compare(a, b)) }
