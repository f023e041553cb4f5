package initcmd

import (
	"fmt"
	"strings"

	"github.com/kubepromote/kubepromote/promote/pipeline"
)

// workflow is a file for a forge's CI: it shows the plan of each promotion, and
// carries one out when somebody asks for it.
func workflow(ci string, p *pipeline.Pipeline) file {
	var to []string
	for _, e := range p.Spec.Environments {
		if len(e.From) > 0 {
			to = append(to, e.Name)
		}
	}
	if ci == "gitlab" {
		return file{".gitlab/promote.yml", []byte(gitlab(to)), "include: {local: .gitlab/promote.yml}\n"}
	}
	return file{".github/workflows/promote.yml", []byte(github(to)), ""}
}

const install = "kubectl krew install promote"

func github(to []string) string {
	return fmt.Sprintf(`name: promote
on:
  push: {branches: [main]}
  workflow_dispatch:
    inputs:
      service: {description: "service, or --all", required: true}
      to: {description: environment, required: true, type: choice, options: [%s]}
permissions: {contents: write}
concurrency: promote
jobs:
  promote:
    runs-on: ubuntu-latest
    steps:
    - uses: actions/checkout@v4
      with: {fetch-depth: 0}
    - run: %s
    - name: board
      run: kubectl promote status
    - name: promotion
      if: github.event_name == 'workflow_dispatch'
      env:
        SERVICE: ${{ inputs.service }}
        TO: ${{ inputs.to }}
      run: |
        git config user.name "$GITHUB_ACTOR"
        git config user.email "$GITHUB_ACTOR@users.noreply.github.com"
        kubectl promote "$SERVICE" --to "$TO" --commit
        git push
`, strings.Join(to, ", "), install)
}

func gitlab(to []string) string {
	return fmt.Sprintf(`# Include it in .gitlab-ci.yml: include: {local: .gitlab/promote.yml}
promote:
  variables: {GIT_DEPTH: 0}
  rules:
  - if: $SERVICE && $TO # run a pipeline with these two; TO is one of %s
    when: manual
  script:
  - %s
  - git switch "$CI_COMMIT_BRANCH"
  - git config user.name "$GITLAB_USER_NAME"
  - git config user.email "$GITLAB_USER_EMAIL"
  - kubectl promote "$SERVICE" --to "$TO" --commit
  - git push "https://promote:$PROMOTE_TOKEN@$CI_SERVER_HOST/$CI_PROJECT_PATH.git" "$CI_COMMIT_BRANCH"
`, strings.Join(to, ", "), install)
}
