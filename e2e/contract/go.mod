// The clients of forges against the forges' published descriptions: a module apart, as only
// these tests need a reader of OpenAPI.
module github.com/kubepromote/kubepromote/e2e/contract

go 1.26.0

require (
	github.com/getkin/kin-openapi v0.153.0
	github.com/kubepromote/kubepromote v0.0.0
)

require (
	github.com/go-openapi/jsonpointer v1.0.0 // indirect
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3 // indirect
	go.yaml.in/yaml/v4 v4.0.0 // indirect
	golang.org/x/text v0.43.0 // indirect
)

replace github.com/kubepromote/kubepromote => ../..
