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

// release is the one that workflows take, by the action of its sources or its archive: that
// in the file VERSION.
const release = "v0.1.0"

func github(to []string) string {
	return fmt.Sprintf(`name: promote
on:
  push: {branches: [main]}
  workflow_dispatch:
    inputs:
      service: {description: "a service, or * for all", required: true}
      to: {description: environment, required: true, type: choice, options: [%s]}
permissions: {contents: write}
concurrency: promote
jobs:
  promote:
    runs-on: ubuntu-latest
    steps:
    - uses: actions/checkout@v4
      with: {fetch-depth: 0}
    - name: board
      uses: kubepromote/kubepromote@%[2]s
      with: {args: status}
    - name: who commits
      run: |
        git config user.name "$GITHUB_ACTOR"
        git config user.email "$GITHUB_ACTOR@users.noreply.github.com"
    - name: promotion
      if: github.event_name == 'workflow_dispatch'
      uses: kubepromote/kubepromote@%[2]s
      # What stands behind -- is a service, whatever it says.
      with: {args: "run --to ${{ inputs.to }} --push -- ${{ inputs.service }}"}
`, strings.Join(to, ", "), release)
}

func gitlab(to []string) string {
	const archive = "kubectl-promote_" + release + "_linux_amd64.tar.gz"
	return fmt.Sprintf(`# Include it in .gitlab-ci.yml: include: {local: .gitlab/promote.yml}
# PROMOTION_TOKEN is a project access token with write_repository, masked and protected.
promote:
  image: docker.io/library/buildpack-deps:bookworm-scm
  variables: {GIT_DEPTH: 0, GIT_STRATEGY: clone}
  rules:
  - if: $SERVICE && $TO # run a pipeline with these two; TO is one of %s
    when: manual
  before_script:
  - cd /tmp
  - curl --fail --silent --show-error --location --proto =https --remote-name-all %s/{%s,checksums.txt}
  - sha256sum --check --ignore-missing --strict checksums.txt
  - tar -xzf %[3]s -C /usr/local/bin kubectl-promote
  - cd "$CI_PROJECT_DIR"
  - git config user.name "$GITLAB_USER_NAME"
  - git config user.email "$GITLAB_USER_EMAIL"
  - git remote set-url --push origin "$CI_SERVER_URL/$CI_PROJECT_PATH.git"
  - git config "credential.$CI_SERVER_URL.username" oauth2
  # Git is run without the job's variables, except those that are called GIT_ something.
  - export GIT_PROMOTION_TOKEN="$PROMOTION_TOKEN"
  - git config "credential.$CI_SERVER_URL.helper" '!f() { test "$1" = get && printf "password=%%s\n" "$GIT_PROMOTION_TOKEN"; }; f'
  script:
  - kubectl-promote run --to "$TO" --branch "$CI_COMMIT_BRANCH" --push -- "$SERVICE"
`, strings.Join(to, ", "), "https://github.com/kubepromote/kubepromote/releases/download/"+release, archive)
}
