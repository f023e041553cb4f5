// The tests of the product's own packages against real peers: a module apart, so
// that the versions that the product needs do not lift those of the peers.
module github.com/kubepromote/kubepromote/e2e/forge

go 1.26.0

require (
	github.com/kubepromote/kubepromote v0.0.0
	github.com/kubepromote/kubepromote/e2e v0.0.0
)

require (
	github.com/bmatcuk/doublestar/v4 v4.10.4 // indirect
	github.com/hmarr/codeowners v1.2.1 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
)

replace (
	github.com/kubepromote/kubepromote => ../..
	github.com/kubepromote/kubepromote/e2e => ..
)
